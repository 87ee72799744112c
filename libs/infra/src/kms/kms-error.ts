export type KmsErrorCode =
  | 'unavailable'
  | 'access_denied'
  | 'key_disabled'
  | 'key_pending_deletion'
  | 'key_not_found'
  /** Another state in which it cannot be used: its material or its key store is missing. */
  | 'key_unusable'
  /** Not a key for this: a signing key, or an id that is none. */
  | 'key_unfit'
  | 'invalid_ciphertext'
  /** Refused for a reason that is not known here. */
  | 'refused';

/**
 * Why a key could not be used. Only 'unavailable' is passing: after any other code, keys that were unwrapped before
 * must not be used any longer either.
 */
export class KmsError extends Error {
  override readonly name = 'KmsError';
  readonly code: KmsErrorCode;

  constructor(code: KmsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A fresh data key: `plaintext` (32 bytes) to use and forget, `wrapped` to store. */
export interface DataKey {
  readonly plaintext: Buffer;
  readonly wrapped: Buffer;
}

/** What a wrapped key is bound to. Not secret; unwrapping needs exactly the same. */
export type KmsContext = Readonly<Record<string, string>>;
