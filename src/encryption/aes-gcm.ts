import { createCipheriv, createDecipheriv, randomFillSync, type KeyObject } from 'node:crypto';

export const NONCE_LENGTH = 12;
export const TAG_LENGTH = 16;

/**
 * A key that serves once, as a string of a character a byte. On Node 24 a KeyObject made for one use costs 2 to 4 µs more
 * (native objects for the collector to finalise), and raw bytes 15 µs (two errors thrown and caught within Node).
 */
export type KeyForOnce = string;

export function keyForOnce(bytes: Buffer): KeyForOnce {
  return bytes.toString('latin1');
}

/** How Node reads a key that is a string; it has no bearing on a KeyObject. */
const OPTIONS = { authTagLength: TAG_LENGTH, encoding: 'latin1' } as const;

/** Node copies both at once; a view for each call is one more object for the collector. */
const nonce = Buffer.allocUnsafeSlow(NONCE_LENGTH);
const tag = Buffer.allocUnsafeSlow(TAG_LENGTH);

/** Encrypts into `out`: the nonce stands there already, the ciphertext and its tag go to `at`. */
export function encryptInto(
  out: Buffer,
  key: KeyObject | KeyForOnce,
  nonceAt: number,
  at: number,
  value: Buffer,
  aad: Buffer,
): void {
  take(nonce, out, nonceAt);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, OPTIONS);
  cipher.setAAD(aad);
  out.set(cipher.update(value), at);
  cipher.final();
  out.set(cipher.getAuthTag(), at + value.length);
}

/**
 * Decrypts what stands in `stored` from `at` to `end`, its tag at the end.
 *
 * @throws when it was not encrypted under this key with this nonce and these associated data
 */
export function decryptFrom(
  stored: Buffer,
  key: KeyObject | KeyForOnce,
  nonceAt: number,
  at: number,
  end: number,
  aad: Buffer,
): Buffer {
  const tagAt = end - TAG_LENGTH;
  if (tagAt < at) throw new RangeError('There are no such bytes.');
  take(nonce, stored, nonceAt);
  take(tag, stored, tagAt);
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, OPTIONS);
  decipher.setAAD(aad);
  decipher.setAuthTag(tag);
  const value = decipher.update(stored.subarray(at, tagAt));
  decipher.final();
  return value;
}

/**
 * Fills `into`. A loop: for a handful of bytes Node's own copy and fill take longer to begin than this takes to end.
 *
 * @throws {RangeError} beyond the end, where there are no bytes to take
 */
export function take(into: Buffer, from: Buffer, at: number): void {
  if (at < 0 || at + into.length > from.length) throw new RangeError('There are no such bytes.');
  for (let index = 0; index < into.length; index += 1) into[index] = from[at + index] ?? 0;
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
  for (let index = 0; index < bytes; index += 1) out[at + index] = pool[poolAt + index] ?? 0;
  wipe(pool, poolAt, poolAt + bytes);
  poolAt += bytes;
}

/** From `start` up to `end`; a loop, see `take`. */
export function wipe(bytes: Buffer, start = 0, end = bytes.length): void {
  for (let index = start; index < end; index += 1) bytes[index] = 0;
}
