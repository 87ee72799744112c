import { hash } from 'node:crypto';

/**
 * The hashes of a tenant's log: a SHA-256 chain, in which each event vouches for all before it, and the RFC 6962 Merkle
 * tree over the same events, from which inclusion can be proven without the rest of the log.
 */
const LEAF = Buffer.from([0]);
const NODE = Buffer.from([1]);
const HASH_LENGTH = 32;

export const EMPTY_CHAIN = Buffer.alloc(HASH_LENGTH);

function sha256(...parts: Buffer[]): Buffer {
  return hash('sha256', Buffer.concat(parts), 'buffer');
}

/** RFC 6962 section 2.1: MTH({d(0)}) = SHA-256(0x00 || d(0)). */
export function leafHash(event: Buffer): Buffer {
  return sha256(LEAF, event);
}

/** The chain's next link: the previous link, the sequence number as 8 bytes, the event's leaf hash. */
export function chainHash(previous: Buffer, seq: number, leaf: Buffer): Buffer {
  const number = Buffer.allocUnsafe(8);
  number.writeBigUInt64BE(BigInt(seq));
  return sha256(previous, number, leaf);
}

function nodeHash(left: Buffer, right: Buffer): Buffer {
  return sha256(NODE, left, right);
}

/**
 * The right edge of the tree: one root per complete subtree, largest first, as many as the size has one-bits. All that
 * is needed to append, and to know the root.
 */
export class Frontier {
  readonly #roots: Buffer[];
  #size: number;

  private constructor(roots: Buffer[], size: number) {
    this.#roots = roots;
    this.#size = size;
  }

  static of(bytes: Buffer, size: number): Frontier {
    const roots: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += HASH_LENGTH) roots.push(bytes.subarray(at, at + HASH_LENGTH));
    return new Frontier(roots, size);
  }

  append(leaf: Buffer): void {
    let node = leaf;
    // Every trailing one-bit of the size is a complete subtree as large as the one being carried.
    for (let size = this.#size; size % 2 === 1; size = Math.floor(size / 2)) {
      const left = this.#roots.pop();
      if (!left) throw new Error('The Merkle frontier does not fit its size.');
      node = nodeHash(left, node);
    }
    this.#roots.push(node);
    this.#size += 1;
  }

  /** RFC 6962 root; of an empty tree the hash of nothing. */
  root(): Buffer {
    if (this.#roots.length === 0) return sha256();
    return this.#roots.reduceRight((right, left) => nodeHash(left, right));
  }

  bytes(): Buffer {
    return Buffer.concat(this.#roots);
  }
}
