import { createCipheriv, createDecipheriv, randomFillSync, type KeyObject } from 'node:crypto';

export const NONCE_LENGTH = 12;
export const TAG_LENGTH = 16;

/** Encrypts into `out`: the nonce stands there already, the ciphertext and its tag go to `at`. */
export function encryptInto(
  out: Buffer,
  key: KeyObject,
  nonceAt: number,
  at: number,
  value: Buffer,
  aad: Buffer,
): void {
  const cipher = createCipheriv('aes-256-gcm', key, out.subarray(nonceAt, nonceAt + NONCE_LENGTH));
  cipher.setAAD(aad);
  const written = cipher.update(value).copy(out, at);
  cipher.final();
  cipher.getAuthTag().copy(out, at + written);
}

/** @throws when it was not encrypted under this key with this nonce and these associated data */
export function decrypt(key: KeyObject, nonce: Buffer, data: Buffer, aad: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_LENGTH });
  decipher.setAAD(aad);
  const end = data.length - TAG_LENGTH;
  decipher.setAuthTag(data.subarray(end));
  const value = decipher.update(data.subarray(0, end));
  decipher.final();
  return value;
}

/** One call to the system's generator serves many fields: three small calls a field cost more than the encryption. */
const pool = Buffer.alloc(16_384);
let poolAt = pool.length;

/** Random bytes into `out`. What was handed out is wiped, so that a later read of memory does not find it. */
export function randomInto(out: Buffer, at: number, bytes: number): void {
  if (poolAt + bytes > pool.length) {
    randomFillSync(pool);
    poolAt = 0;
  }
  pool.copy(out, at, poolAt, poolAt + bytes);
  pool.fill(0, poolAt, poolAt + bytes);
  poolAt += bytes;
}
