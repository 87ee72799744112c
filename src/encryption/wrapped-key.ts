import { createSecretKey, type KeyObject } from 'node:crypto';
import { decryptFrom, encryptInto, NONCE_LENGTH, randomInto, TAG_LENGTH } from './aes-gcm.js';
import { FieldUnreadable, type NamedKey } from './field-codec.js';

/**
 * A key of a tenant under the tenant's current field key: `version 1 | nonce 12 | key 32 | tag 16`, AES-256-GCM. What is
 * authenticated begins with a label that no field's does (those begin with their suite), so that a wrapped key is never
 * taken for a field's data key, nor the other way round.
 */
const VERSION = 1;
const KEY_LENGTH = 32;
const LENGTH = 1 + NONCE_LENGTH + KEY_LENGTH + TAG_LENGTH;

/** Whose key it is, what for, and its id. */
export interface KeyPlace {
  readonly tenant: string;
  readonly purpose: string;
  /** The UUID. */
  readonly id: string;
}

export function wrapKey(by: NamedKey, place: KeyPlace, key: Buffer): Buffer {
  const out = Buffer.alloc(LENGTH);
  out[0] = VERSION;
  randomInto(out, 1, NONCE_LENGTH);
  encryptInto(out, by.key, 1, 1 + NONCE_LENGTH, key, associated(by, place));
  return out;
}

/** @throws {FieldUnreadable} for anything that was not wrapped for this place by this key */
export function unwrapKey(by: NamedKey, place: KeyPlace, wrapped: Buffer): KeyObject {
  if (wrapped.length !== LENGTH || wrapped[0] !== VERSION) throw new FieldUnreadable();
  let key: Buffer;
  try {
    key = decryptFrom(wrapped, by.key, 1, 1 + NONCE_LENGTH, LENGTH, associated(by, place));
  } catch {
    throw new FieldUnreadable();
  }
  const known = createSecretKey(key);
  key.fill(0);
  return known;
}

function associated(by: NamedKey, { tenant, purpose, id }: KeyPlace): Buffer {
  // None of the parts contains a NUL.
  return Buffer.from(`waxell tenant key v1\0${tenant}\0${purpose}\0${id}\0${by.id.toString('hex')}`);
}
