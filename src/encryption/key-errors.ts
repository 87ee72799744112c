import { AppError } from '../platform/http/errors.js';

/** The key service does not answer, and no keys of this organisation are in memory. */
export class KeysUnavailable extends AppError {
  readonly kind = 'unavailable';
  readonly code = 'KEYS_UNAVAILABLE';
  constructor(options?: ErrorOptions) {
    super("The organisation's keys cannot be had at this moment. Repeat the request in a moment.", options);
  }
}

/** The key service answers, and refuses: the key is disabled, condemned, gone, or not for us any more. */
export class KeysRefused extends AppError {
  readonly kind = 'unavailable';
  readonly code = 'KEYS_REFUSED';
  constructor(options?: ErrorOptions) {
    super(
      "The key service refuses the organisation's key. Whoever administers it there has to enable it, or allow its use again.",
      options,
    );
  }
}

/** The same, said of a single value that the customer's key has to open or seal itself. */
export class HeldKeyRefused extends KeysRefused {}

/** Nothing that the organisation's keys have sealed can be read any more, by anybody. */
export class KeysDestroyed extends AppError {
  readonly kind = 'gone';
  readonly code = 'KEY_DESTROYED';
  constructor() {
    super(
      "The organisation's keys were destroyed, as its administrators asked. What they sealed is gone for ever.",
    );
  }
}

/** Sealed under the key of a person who was erased: nobody can read it any more. */
export class PersonErased extends AppError {
  readonly kind = 'gone';
  readonly code = 'PERSON_ERASED';
  constructor() {
    super('The person whom this concerns was erased, and what was known of them is gone for ever.');
  }
}

/** A customer's key that cannot be used for what it would be attached for. */
export class CustomerKeyRefused extends AppError {
  readonly kind = 'unprocessable';
  readonly code = 'CUSTOMER_KEY_REFUSED';
  constructor(why: string, options?: ErrorOptions) {
    super(
      `The key cannot be used (${why}). It has to be enabled, of your own account, attached by no other organisation and of the region that yours is in, and its policy has to allow us kms:GenerateDataKey and kms:Decrypt.`,
      options,
    );
  }
}

/** Seals are counted ahead, and the count could not be written down for too long. */
export class SealsUncounted extends AppError {
  readonly kind = 'unavailable';
  readonly code = 'KEYS_UNAVAILABLE';
  constructor() {
    super('The use of the key cannot be counted at this moment. Repeat the request in a moment.');
  }
}

const PASSING = 'unavailable';
const REFUSALS = new Set([
  'access_denied',
  'key_disabled',
  'key_pending_deletion',
  'key_not_found',
  'key_unusable',
  'key_unfit',
  'invalid_ciphertext',
  'refused',
]);

/** What the key service meant, by the code of its adapter's error; undefined for errors that are not the service's. */
export function keyServiceFault(error: unknown): 'passing' | 'refusal' | undefined {
  const { code } = error as { code?: unknown };
  if (code === PASSING) return 'passing';
  return typeof code === 'string' && REFUSALS.has(code) ? 'refusal' : undefined;
}
