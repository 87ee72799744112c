import { hash } from 'node:crypto';

export const HASH_LENGTH = 32;

export const EMPTY_CHAIN: Buffer = Buffer.alloc(HASH_LENGTH);

/** Larger events than this are rare, and get a buffer of their own. */
const USUAL_EVENT = 8_192;

/**
 * What is hashed is put together in these: a hash is made in one go, so that none is needed by two at a time. What has
 * not the length of a hash, as only tampering makes it, would leave something of an earlier one in there, and is not.
 */
const leaf = Buffer.allocUnsafeSlow(1 + USUAL_EVENT);
const node = Buffer.allocUnsafeSlow(1 + 2 * HASH_LENGTH);
const link = Buffer.allocUnsafeSlow(2 * HASH_LENGTH + 8);
leaf[0] = 0;
node[0] = 1;

/** RFC 6962 section 2.1: MTH({d(0)}) = SHA-256(0x00 || d(0)). */
export function leafHash(event: Buffer): Buffer {
  if (event.length > USUAL_EVENT) return sha256(Buffer.concat([leaf.subarray(0, 1), event]));
  leaf.set(event, 1);
  return sha256(leaf.subarray(0, 1 + event.length));
}

/** RFC 6962 section 2.1, of two subtrees: SHA-256(0x01 || left || right). */
export function nodeHash(left: Buffer, right: Buffer): Buffer {
  if (left.length !== HASH_LENGTH || right.length !== HASH_LENGTH)
    return sha256(Buffer.concat([node.subarray(0, 1), left, right]));
  node.set(left, 1);
  node.set(right, 1 + HASH_LENGTH);
  return sha256(node);
}

/** RFC 6962's root of a tree without leaves: the hash of nothing. */
export function emptyRoot(): Buffer {
  return sha256(Buffer.alloc(0));
}

/** The chain's next link: the previous link, the sequence number as 8 bytes, the event's leaf hash. */
export function chainHash(previous: Buffer, seq: number, leafOfEvent: Buffer): Buffer {
  const number = link.subarray(HASH_LENGTH, HASH_LENGTH + 8);
  number.writeBigUInt64BE(BigInt(seq));
  if (previous.length !== HASH_LENGTH || leafOfEvent.length !== HASH_LENGTH)
    return sha256(Buffer.concat([previous, number, leafOfEvent]));
  link.set(previous, 0);
  link.set(leafOfEvent, HASH_LENGTH + 8);
  return sha256(link);
}

/** Node hands out a string of one character per byte in a third of the time that it takes to hand out a buffer. */
function sha256(bytes: Buffer): Buffer {
  return Buffer.from(hash('sha256', bytes, 'binary'), 'latin1');
}
