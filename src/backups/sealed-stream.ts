import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto';

/**
 * Bytes of any length under one key that serves for nothing else, in chunks: `length 4 | ciphertext | tag 16`, AES-256-GCM.
 * A chunk's nonce is its number, and its number, whether it is the last, and what the whole belongs to are
 * authenticated: a chunk can be neither left out, nor moved, nor taken from elsewhere, and an end cannot be cut off.
 */
export const CHUNK_BYTES = 2 ** 20;
const LENGTH = 4;
const TAG = 16;
const NONCE = 12;

/** It was altered, cut short, or is under another key; which of them is not said. */
export class BackupUnreadable extends Error {
  override readonly name = 'BackupUnreadable';
  constructor(where: string) {
    super(`The backup cannot be read: ${where}. It was altered or cut short, or belongs to another key.`);
  }
}

/** @param binding what the whole belongs to: a digest of its head */
export async function* sealed(
  key: KeyObject,
  binding: Buffer,
  bytes: AsyncIterable<readonly Buffer[]>,
): AsyncGenerator<Buffer> {
  let number = 0;
  const chunk = Buffer.alloc(CHUNK_BYTES);
  let filled = 0;
  for await (const pieces of bytes)
    for (let piece of pieces)
      while (piece.length > 0) {
        // The last chunk is marked as such: one that is full waits until it is known not to be it.
        if (filled === CHUNK_BYTES) {
          yield sealChunk(key, binding, number, false, chunk);
          number += 1;
          filled = 0;
        }
        const taken = piece.copy(chunk, filled);
        filled += taken;
        piece = piece.subarray(taken);
      }
  yield sealChunk(key, binding, number, true, chunk.subarray(0, filled));
}

/** @throws {BackupUnreadable} at the first chunk that is not as it was sealed, or where the end is not the end */
export async function* unsealed(
  key: KeyObject,
  binding: Buffer,
  bytes: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  let held: Buffer = Buffer.alloc(0);
  let number = 0;
  let ended = false;
  for await (const more of bytes) {
    held = held.length === 0 ? more : Buffer.concat([held, more]);
    let at = 0;
    while (held.length - at >= LENGTH) {
      const length = held.readUInt32BE(at);
      if (ended || length > CHUNK_BYTES) throw new BackupUnreadable(`at chunk ${number}`);
      const end = at + LENGTH + length + TAG;
      if (held.length < end) break;
      const chunk = openChunk(key, binding, number, held.subarray(at + LENGTH, end));
      ended = chunk.last;
      yield chunk.bytes;
      number += 1;
      at = end;
    }
    held = held.subarray(at);
  }
  if (!ended || held.length > 0) throw new BackupUnreadable(`its end is missing after chunk ${number}`);
}

function sealChunk(key: KeyObject, binding: Buffer, number: number, last: boolean, bytes: Buffer): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonceOf(number), { authTagLength: TAG });
  cipher.setAAD(placeOf(binding, number, last));
  const length = Buffer.alloc(LENGTH);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
}

function openChunk(
  key: KeyObject,
  binding: Buffer,
  number: number,
  chunk: Buffer,
): { bytes: Buffer; last: boolean } {
  for (const last of [false, true]) {
    const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(number), { authTagLength: TAG });
    decipher.setAAD(placeOf(binding, number, last));
    decipher.setAuthTag(chunk.subarray(-TAG));
    const bytes = decipher.update(chunk.subarray(0, -TAG));
    try {
      decipher.final();
      return { bytes, last };
    } catch {
      // Perhaps it is the last.
    }
  }
  throw new BackupUnreadable(`at chunk ${number}`);
}

function nonceOf(number: number): Buffer {
  const nonce = Buffer.alloc(NONCE);
  nonce.writeBigUInt64BE(BigInt(number), NONCE - 8);
  return nonce;
}

function placeOf(binding: Buffer, number: number, last: boolean): Buffer {
  return Buffer.concat([binding, nonceOf(number), Buffer.of(last ? 1 : 0)]);
}
