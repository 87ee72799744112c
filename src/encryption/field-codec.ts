import { hash, timingSafeEqual, type KeyObject } from 'node:crypto';
import {
  decryptFrom,
  encryptInto,
  keyForOnce,
  NONCE_LENGTH,
  randomInto,
  TAG_LENGTH,
  take,
  wipe,
} from './aes-gcm.js';
import { associatedData, type FieldPlace } from './field-place.js';

/**
 * The stored form of a field: `key_id | nonce | data`.
 *
 *   key_id  version 1 | suite 1 | key's id 16 | what the suite needs to get at the data key | commitment 32
 *   nonce   12
 *   data    ciphertext | tag 16
 *
 * Suite 0x01: every value has a data key (DEK) of its own, wrapped by the tenant's key-encryption key (KEK):
 *           wrap nonce 12 | wrapped DEK 32 | wrap tag 16.
 * Suite 0x04: the same with the DEK wrapped by the KMS itself, one call a value: length 2 | what the KMS made of it. The KMS
 *           binds it to tenant, table and column, and whoever keeps the key sees these in each call.
 * Suite 0x02: as 0x04, and the KMS binds it to the tenant alone. Values of before are opened; none is sealed.
 *
 * Every layer is AES-256-GCM and authenticates where the value belongs, so that no ciphertext can be moved to another
 * tenant, table, column or row. The commitment binds the value to one DEK: GCM alone lets one ciphertext open under two.
 */
const VERSION = 1;
export const SUITE = { tenantKek: 0x01, kmsOfTenant: 0x02, kms: 0x04 } as const;
export type Suite = (typeof SUITE)[keyof typeof SUITE];

const KEY_ID = 2;
const KEY_DETAILS = 18;
const DEK_LENGTH = 32;
const COMMITMENT_LENGTH = 32;
const WRAPPED_BY_KEK = NONCE_LENGTH + DEK_LENGTH + TAG_LENGTH;
/** What a KMS makes of a key is some hundreds of bytes; a header that says more was tampered with. */
const WRAPPED_BY_KMS_LIMIT = 6_144;
const AFTER_KEY = COMMITMENT_LENGTH + NONCE_LENGTH;

/** Bytes that the stored form of suite 0x01 is longer than the value. */
export const OVERHEAD = KEY_DETAILS + WRAPPED_BY_KEK + AFTER_KEY + TAG_LENGTH;

/** A key in memory, with the 16 bytes of the UUID by which stored values name it. */
export interface NamedKey {
  readonly id: Buffer;
  readonly key: KeyObject;
}

/** A key-encryption key. */
export type Kek = NamedKey;

/** A data key as the KMS makes it. */
export interface KmsDataKey {
  readonly plaintext: Buffer;
  readonly wrapped: Buffer;
}

/** The one error of reading a field; it never says what was wrong, which would help whoever altered it. */
export class FieldUnreadable extends Error {
  override readonly name = 'FieldUnreadable';
  constructor() {
    super('The encrypted field cannot be read.');
  }
}

/** Suite 0x01. */
export function sealField(kek: Kek, place: FieldPlace, value: Buffer): Buffer {
  const aad = associatedData(place, SUITE.tenantKek);
  const out = begin(SUITE.tenantKek, kek.id, WRAPPED_BY_KEK, value.length);
  const dek = freshDek;
  randomInto(dek, 0, DEK_LENGTH);
  randomInto(out, KEY_DETAILS, NONCE_LENGTH);
  encryptInto(out, kek.key, KEY_DETAILS, KEY_DETAILS + NONCE_LENGTH, dek, aad);
  sealData(out, KEY_DETAILS + WRAPPED_BY_KEK, dek, aad, value);
  return out;
}

/** Suite 0x01. @throws {FieldUnreadable} for anything that was not sealed for this place under this key */
export function openField(kek: Kek, place: FieldPlace, stored: Buffer): Buffer {
  return readable(() => {
    requireForm(stored, SUITE.tenantKek, WRAPPED_BY_KEK);
    const aad = associatedData(place, SUITE.tenantKek);
    const data = KEY_DETAILS + NONCE_LENGTH;
    const end = KEY_DETAILS + WRAPPED_BY_KEK;
    const dek = decryptFrom(stored, kek.key, KEY_DETAILS, data, end, aad);
    return openData(stored, end, dek, aad);
  });
}

/**
 * Suite 0x01: the same value, its data key wrapped by another key. What the value itself is sealed with stays as it is,
 * and is not opened. @throws {FieldUnreadable}
 */
export function rewrapField(from: Kek, to: Kek, place: FieldPlace, stored: Buffer): Buffer {
  return readable(() => {
    requireForm(stored, SUITE.tenantKek, WRAPPED_BY_KEK);
    const aad = associatedData(place, SUITE.tenantKek);
    const data = KEY_DETAILS + NONCE_LENGTH;
    const end = KEY_DETAILS + WRAPPED_BY_KEK;
    const dek = decryptFrom(stored, from.key, KEY_DETAILS, data, end, aad);
    requireCommitted(dek, aad, stored, end);
    const out = Buffer.from(stored);
    to.id.copy(out, KEY_ID);
    randomInto(out, KEY_DETAILS, NONCE_LENGTH);
    encryptInto(out, to.key, KEY_DETAILS, data, dek, aad);
    wipe(dek);
    return out;
  });
}

/** Suite 0x04. The data key is used for this one value, and wiped. */
export function sealUnderKms(keyId: Buffer, dek: KmsDataKey, place: FieldPlace, value: Buffer): Buffer {
  const { plaintext, wrapped } = dek;
  if (wrapped.length > WRAPPED_BY_KMS_LIMIT) throw new Error('The KMS wrapped a key in too many bytes.');
  const aad = associatedData(place, SUITE.kms);
  const out = begin(SUITE.kms, keyId, 2 + wrapped.length, value.length);
  out.writeUInt16BE(wrapped.length, KEY_DETAILS);
  wrapped.copy(out, KEY_DETAILS + 2);
  sealData(out, KEY_DETAILS + 2 + wrapped.length, plaintext, aad, value);
  return out;
}

/** Suites 0x02 and 0x04: what the KMS has to unwrap. @throws {FieldUnreadable} */
export function wrappedByKms(stored: Buffer): Buffer {
  return readable(() => {
    const length = stored.readUInt16BE(KEY_DETAILS);
    if (length === 0 || length > WRAPPED_BY_KMS_LIMIT) throw new FieldUnreadable();
    requireForm(stored, heldSuiteOf(stored), 2 + length);
    return stored.subarray(KEY_DETAILS + 2, KEY_DETAILS + 2 + length);
  });
}

/** Suites 0x02 and 0x04, with the key that the KMS has unwrapped. It is not wiped: it may serve again. @throws {FieldUnreadable} */
export function openUnderKms(plaintext: Buffer, place: FieldPlace, stored: Buffer): Buffer {
  const details = 2 + wrappedByKms(stored).length;
  return readable(() =>
    openData(
      stored,
      KEY_DETAILS + details,
      Buffer.from(plaintext),
      associatedData(place, heldSuiteOf(stored)),
    ),
  );
}

/** Whichever of the two a value says it is: both layers authenticate it. */
function heldSuiteOf(stored: Buffer): Suite {
  return stored[1] === SUITE.kmsOfTenant ? SUITE.kmsOfTenant : SUITE.kms;
}

/** The suite, and the id of the key that a stored field needs as 32 hexadecimal digits. @throws {FieldUnreadable} */
export function headerOf(stored: Buffer): { readonly suite: Suite; readonly keyId: string } {
  const suite = stored[1];
  const known = suite === SUITE.tenantKek || suite === SUITE.kms || suite === SUITE.kmsOfTenant;
  if (stored.length < KEY_DETAILS + AFTER_KEY + TAG_LENGTH || stored[0] !== VERSION || !known)
    throw new FieldUnreadable();
  return { suite, keyId: stored.toString('hex', KEY_ID, KEY_DETAILS) };
}

/** The id of the KEK that a stored field needs, as the 32 hexadecimal digits of its UUID. */
export function kekIdOf(stored: Buffer): string {
  return headerOf(stored).keyId;
}

/** Whether a stored field names this key. */
export function isSealedBy({ id }: Kek, stored: Buffer): boolean {
  return stored.subarray(KEY_ID, KEY_DETAILS).equals(id);
}

function begin(suite: Suite, keyId: Buffer, details: number, value: number): Buffer {
  const out = Buffer.allocUnsafe(KEY_DETAILS + details + AFTER_KEY + value + TAG_LENGTH);
  out[0] = VERSION;
  out[1] = suite;
  keyId.copy(out, KEY_ID);
  return out;
}

function sealData(out: Buffer, at: number, dek: Buffer, aad: Buffer, value: Buffer): void {
  out.write(commitment(dek, aad), at, COMMITMENT_LENGTH, 'latin1');
  const key = keyForOnce(dek);
  wipe(dek);
  const nonce = at + COMMITMENT_LENGTH;
  randomInto(out, nonce, NONCE_LENGTH);
  encryptInto(out, key, nonce, nonce + NONCE_LENGTH, value, aad);
}

function openData(stored: Buffer, at: number, dek: Buffer, aad: Buffer): Buffer {
  if (dek.length !== DEK_LENGTH) throw new FieldUnreadable();
  const nonce = at + COMMITMENT_LENGTH;
  requireCommitted(dek, aad, stored, at);
  const key = keyForOnce(dek);
  wipe(dek);
  return decryptFrom(stored, key, nonce, nonce + NONCE_LENGTH, stored.length, aad);
}

function requireCommitted(dek: Buffer, aad: Buffer, stored: Buffer, at: number): void {
  expected.write(commitment(dek, aad), 'latin1');
  take(committed, stored, at);
  if (!timingSafeEqual(expected, committed)) throw new FieldUnreadable();
}

function requireForm(stored: Buffer, suite: Suite, details: number): void {
  const shortest = KEY_DETAILS + details + AFTER_KEY + TAG_LENGTH;
  if (stored.length < shortest || stored[0] !== VERSION || stored[1] !== suite) throw new FieldUnreadable();
}

/** Whatever goes wrong while reading is the one error. */
function readable<T>(read: () => T): T {
  try {
    return read();
  } catch {
    throw new FieldUnreadable();
  }
}

const LABEL = Buffer.from('waxell field commitment v1\0');
const LONGEST_AAD = 5 + 4 * 0xffff;
/** Where a data key is drawn, and wiped before the value is encrypted; a buffer for each is one more for the collector. */
const freshDek = Buffer.allocUnsafeSlow(DEK_LENGTH);
/** Two commitments to compare. */
const expected = Buffer.allocUnsafeSlow(COMMITMENT_LENGTH);
const committed = Buffer.allocUnsafeSlow(COMMITMENT_LENGTH);
/** Where the commitment's input is put together; a buffer of its own for each value costs a tenth of sealing it. */
const scratch = Buffer.allocUnsafeSlow(1_024);
LABEL.copy(scratch);
/** Of `scratch`: as long as the last input was, as most are of the same length. */
let input = scratch;

/** SHA-256 of label, key and place; as a string of bytes, which Node makes in a third of the time of a Buffer. */
function commitment(dek: Buffer, aad: Buffer): string {
  const length = LABEL.length + DEK_LENGTH + aad.length;
  if (aad.length > LONGEST_AAD) throw new FieldUnreadable();
  if (length > scratch.length) return hash('sha256', Buffer.concat([LABEL, dek, aad]), 'binary');
  scratch.set(dek, LABEL.length);
  scratch.set(aad, LABEL.length + DEK_LENGTH);
  if (input.length !== length) input = scratch.subarray(0, length);
  const digest = hash('sha256', input, 'binary');
  wipe(scratch, LABEL.length, LABEL.length + DEK_LENGTH);
  return digest;
}
