import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Frontier } from './frontier.js';
import { leafHash } from './hashes.js';

/** RFC 6962 section 2.1, word for word and as slow: MTH(D[n]) over the largest power of two below n. */
function treeHash(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return createHash('sha256').digest();
  const [only] = leaves;
  if (leaves.length === 1 && only)
    return createHash('sha256')
      .update(Buffer.from([0]))
      .update(only)
      .digest();
  const k = 2 ** Math.floor(Math.log2(leaves.length - 1));
  return createHash('sha256')
    .update(Buffer.from([1]))
    .update(treeHash(leaves.slice(0, k)))
    .update(treeHash(leaves.slice(k)))
    .digest();
}

describe('the Merkle frontier', () => {
  it('has the root of RFC 6962 for every size, also when it was stored in between', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 130 }),
        fc.nat(130),
        (events, stop) => {
          const leaves = events.map((event) => Buffer.from(event));
          let frontier = Frontier.of(Buffer.alloc(0), 0);
          leaves.forEach((leaf, at) => {
            if (at === stop) frontier = Frontier.of(Buffer.from(frontier.bytes()), at);
            frontier.append(leafHash(leaf));
          });
          expect(frontier.root()).toEqual(treeHash(leaves));
        },
      ),
    );
  });

  it('knows the root that RFC 6962 gives for the empty tree', () => {
    expect(Frontier.of(Buffer.alloc(0), 0).root().toString('hex')).toBe(
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    );
  });

  it('refuses a frontier that does not fit its size', () => {
    expect(() => Frontier.of(Buffer.alloc(0), 1).append(Buffer.alloc(32))).toThrow(/does not fit/);
  });
});
