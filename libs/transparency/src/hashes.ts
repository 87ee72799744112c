import { hash } from 'node:crypto';

const LEAF = Buffer.from([0]);
const NODE = Buffer.from([1]);
export const HASH_LENGTH = 32;

export const EMPTY_CHAIN: Buffer = Buffer.alloc(HASH_LENGTH);

export function sha256(...parts: Buffer[]): Buffer {
  return hash('sha256', Buffer.concat(parts), 'buffer');
}

/** RFC 6962 section 2.1: MTH({d(0)}) = SHA-256(0x00 || d(0)). */
export function leafHash(event: Buffer): Buffer {
  return sha256(LEAF, event);
}

export function nodeHash(left: Buffer, right: Buffer): Buffer {
  return sha256(NODE, left, right);
}

/** RFC 6962's root of a tree without leaves: the hash of nothing. */
export function emptyRoot(): Buffer {
  return sha256();
}

/** The chain's next link: the previous link, the sequence number as 8 bytes, the event's leaf hash. */
export function chainHash(previous: Buffer, seq: number, leaf: Buffer): Buffer {
  const number = Buffer.allocUnsafe(8);
  number.writeBigUInt64BE(BigInt(seq));
  return sha256(previous, number, leaf);
}
