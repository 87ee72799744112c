import { hash } from 'node:crypto';
import { EMPTY_CHAIN, emptyRoot, HASH_LENGTH } from './hashes.js';

const USUAL_EVENT = 8_192;
/** Where an event is put: at a whole word, with the byte of a leaf before it. */
const EVENT_AT = 4;
const TWO_TO_32 = 2 ** 32;

/**
 * Follows a log event by event: leaf, link of the chain, and tree. What is hashed stays in the same few buffers, and
 * hashes are strings of a character per byte, which Node hands out in a third of the time of a buffer: following is what
 * verifying a long log costs.
 */
export class LogWalk {
  readonly #leaf = Buffer.alloc(EVENT_AT + USUAL_EVENT + 4);
  /** What is hashed of it, by the length of the event: few are as usual as the last ones. */
  readonly #views: (Buffer | undefined)[] = [];
  /** The link before, the number, the leaf. */
  readonly #link = Buffer.alloc(2 * HASH_LENGTH + 8);
  readonly #node = Buffer.alloc(1 + 2 * HASH_LENGTH);
  /** As of `Frontier`: a root for each complete subtree, the largest first. */
  readonly #roots: string[] = [];
  /** The event that was offered, four bytes at a time, and zeros up to the end of the last four; one that is larger than usual is not there. */
  readonly words = new Int32Array(this.#leaf.buffer, this.#leaf.byteOffset + EVENT_AT, USUAL_EVENT / 4 + 1);
  #seq: number;
  #nextLeaf = '';
  #nextLink = '';

  /** After an event, where chain and frontier are known. */
  constructor(seq: number, chain: Buffer = EMPTY_CHAIN, frontier: Buffer = Buffer.alloc(0)) {
    this.#node[0] = 1;
    this.#seq = seq;
    chain.copy(this.#link, 0, 0, HASH_LENGTH);
    for (let at = 0; at < frontier.length; at += HASH_LENGTH)
      // What is cut short, as only tampering makes it, gives a root that is another.
      this.#roots.push(frontier.toString('latin1', at, at + HASH_LENGTH).padEnd(HASH_LENGTH, '\0'));
  }

  get seq(): number {
    return this.#seq;
  }

  get chain(): Buffer {
    return Buffer.from(this.#link.subarray(0, HASH_LENGTH));
  }

  /** Leaf and link of an event, if it is the next one: all of the bytes, or a part of them. `take` goes on to it. */
  offer(bytes: Buffer, start = 0, end = bytes.length): void {
    this.#nextLeaf = this.#leafHash(bytes, start, end);
    const seq = this.#seq + 1;
    this.#link.writeUInt32BE(Math.floor(seq / TWO_TO_32), HASH_LENGTH);
    this.#link.writeUInt32BE(seq % TWO_TO_32, HASH_LENGTH + 4);
    this.#link.write(this.#nextLeaf, HASH_LENGTH + 8, HASH_LENGTH, 'latin1');
    this.#nextLink = sha256(this.#link);
  }

  /** Whether these are the leaf hash of the event that was offered; no copy is made of them. */
  leafIs(bytes: Buffer, start = 0, end = bytes.length): boolean {
    return isAt(this.#nextLeaf, bytes, start, end);
  }

  /** As `leafIs`, for its link of the chain. */
  linkIs(bytes: Buffer, start = 0, end = bytes.length): boolean {
    return isAt(this.#nextLink, bytes, start, end);
  }

  /** Goes on to the event that was offered. */
  take(): void {
    this.#link.write(this.#nextLink, 0, HASH_LENGTH, 'latin1');
    let node = this.#nextLeaf;
    // Every trailing one-bit of the size is a complete subtree as large as the one being carried.
    for (let size = this.#seq; size % 2 === 1; size = Math.floor(size / 2)) {
      const left = this.#roots.pop();
      if (left === undefined) throw new Error('The Merkle frontier does not fit its size.');
      node = this.#nodeHash(left, node);
    }
    this.#roots.push(node);
    this.#seq += 1;
  }

  /** RFC 6962 root; of an empty tree the hash of nothing. */
  root(): Buffer {
    if (this.#roots.length === 0) return emptyRoot();
    return Buffer.from(
      this.#roots.reduceRight((right, left) => this.#nodeHash(left, right)),
      'latin1',
    );
  }

  frontier(): Buffer {
    return Buffer.from(this.#roots.join(''), 'latin1');
  }

  #leafHash(bytes: Buffer, start: number, end: number): string {
    const length = end - start;
    if (length > USUAL_EVENT) return sha256(Buffer.concat([Buffer.of(0), bytes.subarray(start, end)]));
    this.words[length >> 2] = 0;
    bytes.copy(this.#leaf, EVENT_AT, start, end);
    return sha256((this.#views[length] ??= this.#leaf.subarray(EVENT_AT - 1, EVENT_AT + length)));
  }

  #nodeHash(left: string, right: string): string {
    this.#node.write(left, 1, HASH_LENGTH, 'latin1');
    this.#node.write(right, 1 + HASH_LENGTH, HASH_LENGTH, 'latin1');
    return sha256(this.#node);
  }
}

function sha256(bytes: Buffer): string {
  return hash('sha256', bytes, 'binary');
}

/** Byte by byte: for so few a call out of JavaScript costs more. */
function isAt(hashed: string, bytes: Buffer, start: number, end: number): boolean {
  if (end - start !== HASH_LENGTH) return false;
  for (let at = 0; at < HASH_LENGTH; at += 1) if (hashed.charCodeAt(at) !== bytes[start + at]) return false;
  return true;
}
