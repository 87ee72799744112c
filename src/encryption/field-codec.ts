import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hash,
  randomFillSync,
  timingSafeEqual,
  type KeyObject,
} from 'node:crypto';

/**
 * The stored form of a field: `key_id | nonce | data`.
 *
 *   key_id  version 1 | suite 1 | kek id 16 | wrap nonce 12 | wrapped DEK 32 | wrap tag 16 | commitment 32
 *   nonce   12
 *   data    ciphertext | tag 16
 *
 * Every value has a data key (DEK) of its own, wrapped by the tenant's key-encryption key (KEK). Both layers are
 * AES-256-GCM and authenticate where the value belongs, so that no ciphertext can be moved to another tenant, table,
 * column or row. The commitment binds the value to one DEK: GCM alone lets one ciphertext open under two keys.
 */
const VERSION = 1;
const SUITE_TENANT_KEK = 0x01;
const KEK_ID = 2;
const WRAP_NONCE = 18;
const WRAPPED_DEK = 30;
const COMMITMENT = 78;
const NONCE = 110;
const DATA = 122;
const TAG_LENGTH = 16;

/** Bytes that the stored form is longer than the value. */
export const OVERHEAD = DATA + TAG_LENGTH;

const COMMITMENT_LABEL = Buffer.from('waxell field commitment v1\0');

/** A key-encryption key in memory. `id` is the 16 bytes of its UUID. */
export interface Kek {
  readonly id: Buffer;
  readonly key: KeyObject;
}

/** Where a value belongs. */
export interface FieldPlace {
  readonly tenant: string;
  readonly table: string;
  readonly column: string;
  readonly row: string;
}

/** The one error of reading a field; it never says what was wrong, which would help whoever altered it. */
export class FieldUnreadable extends Error {
  override readonly name = 'FieldUnreadable';
  constructor() {
    super('The encrypted field cannot be read.');
  }
}

export function sealField(kek: Kek, place: FieldPlace, value: Buffer): Buffer {
  const aad = associatedData(place, SUITE_TENANT_KEK);
  const dek = takeRandom(32);
  const out = Buffer.allocUnsafe(OVERHEAD + value.length);
  out[0] = VERSION;
  out[1] = SUITE_TENANT_KEK;
  kek.id.copy(out, KEK_ID);
  takeRandom(12).copy(out, WRAP_NONCE);
  encryptInto(out, kek.key, WRAP_NONCE, WRAPPED_DEK, dek, aad);
  commitment(dek, aad).copy(out, COMMITMENT);
  takeRandom(12).copy(out, NONCE);
  encryptInto(out, createSecretKey(dek), NONCE, DATA, value, aad);
  dek.fill(0);
  return out;
}

/** @throws FieldUnreadable for anything that was not sealed for this place under this key */
export function openField(kek: Kek, place: FieldPlace, stored: Buffer): Buffer {
  if (stored.length < OVERHEAD || stored[0] !== VERSION || stored[1] !== SUITE_TENANT_KEK)
    throw new FieldUnreadable();
  const aad = associatedData(place, SUITE_TENANT_KEK);
  try {
    const dek = decrypt(
      kek.key,
      stored.subarray(WRAP_NONCE, WRAPPED_DEK),
      stored.subarray(WRAPPED_DEK, COMMITMENT),
      aad,
    );
    if (!timingSafeEqual(commitment(dek, aad), stored.subarray(COMMITMENT, NONCE)))
      throw new FieldUnreadable();
    const value = decrypt(createSecretKey(dek), stored.subarray(NONCE, DATA), stored.subarray(DATA), aad);
    dek.fill(0);
    return value;
  } catch {
    throw new FieldUnreadable();
  }
}

/** The id of the KEK that a stored field needs, as the 32 hexadecimal digits of its UUID. */
export function kekIdOf(stored: Buffer): string {
  if (stored.length < OVERHEAD || stored[0] !== VERSION) throw new FieldUnreadable();
  return stored.toString('hex', KEK_ID, WRAP_NONCE);
}

/** Each part with its length before it, so that no two places share an encoding. */
function associatedData(place: FieldPlace, suite: number): Buffer {
  const parts = [place.tenant, place.table, place.column, place.row];
  let size = 1;
  for (const part of parts) size += 2 + Buffer.byteLength(part);
  const aad = Buffer.allocUnsafe(size);
  aad[0] = suite;
  let at = 1;
  for (const part of parts) {
    const length = aad.write(part, at + 2);
    aad.writeUInt16BE(length, at);
    at += 2 + length;
  }
  return aad;
}

function commitment(dek: Buffer, aad: Buffer): Buffer {
  return hash('sha256', Buffer.concat([COMMITMENT_LABEL, dek, aad]), 'buffer');
}

function encryptInto(
  out: Buffer,
  key: KeyObject,
  nonceAt: number,
  at: number,
  value: Buffer,
  aad: Buffer,
): void {
  const cipher = createCipheriv('aes-256-gcm', key, out.subarray(nonceAt, nonceAt + 12));
  cipher.setAAD(aad);
  const written = cipher.update(value).copy(out, at);
  cipher.final();
  cipher.getAuthTag().copy(out, at + written);
}

function decrypt(key: KeyObject, nonce: Buffer, data: Buffer, aad: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_LENGTH });
  decipher.setAAD(aad);
  decipher.setAuthTag(data.subarray(data.length - TAG_LENGTH));
  const value = decipher.update(data.subarray(0, data.length - TAG_LENGTH));
  decipher.final();
  return value;
}

/** One call to the system's generator serves many fields: three small calls a field cost more than the encryption. */
const pool = Buffer.alloc(16_384);
let poolAt = pool.length;

function takeRandom(bytes: number): Buffer {
  if (poolAt + bytes > pool.length) {
    randomFillSync(pool);
    poolAt = 0;
  }
  const taken = Buffer.from(pool.subarray(poolAt, poolAt + bytes));
  // Wiped, so that a later read of memory does not find keys that were handed out.
  pool.fill(0, poolAt, poolAt + bytes);
  poolAt += bytes;
  return taken;
}
