import { emptyRoot, HASH_LENGTH, nodeHash } from './hashes.js';

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
    if (this.#roots.length === 0) return emptyRoot();
    return this.#roots.reduceRight((right, left) => nodeHash(left, right));
  }

  bytes(): Buffer {
    return Buffer.concat(this.#roots);
  }
}
