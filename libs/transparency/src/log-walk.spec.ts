import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Frontier } from './frontier.js';
import { chainHash, EMPTY_CHAIN, leafHash } from './hashes.js';
import { LogWalk } from './log-walk.js';

const EVENTS = fc.array(fc.uint8Array({ maxLength: 60 }), { minLength: 1, maxLength: 70 });

describe('a walk along a log', () => {
  it('has the leaves, links and tree that are defined, also when it begins in the middle', () => {
    fc.assert(
      fc.property(EVENTS, fc.nat(69), (events, middle) => {
        let walk = new LogWalk(0);
        let chain = EMPTY_CHAIN;
        const tree = Frontier.of(Buffer.alloc(0), 0);
        for (const [at, event] of events.entries()) {
          if (at === middle) walk = new LogWalk(at, chain, tree.bytes());
          const leaf = leafHash(Buffer.from(event));
          chain = chainHash(chain, at + 1, leaf);
          tree.append(leaf);
          walk.offer(Buffer.from(event));
          expect([walk.leafIs(leaf), walk.linkIs(chain)]).toEqual([true, true]);
          expect([walk.leafIs(chain), walk.linkIs(leaf)]).toEqual([false, false]);
          walk.take();
          expect([walk.seq, walk.chain, walk.frontier(), walk.root()]).toEqual([
            at + 1,
            chain,
            tree.bytes(),
            tree.root(),
          ]);
        }
      }),
    );
  });

  it('goes on with numbers above 32 bits, and with events that are larger than usual', () => {
    const seq = 2 ** 32 + 6;
    const walk = new LogWalk(seq, EMPTY_CHAIN);
    const event = Buffer.alloc(100_000, 'x');
    walk.offer(event);
    expect(walk.leafIs(leafHash(event))).toBe(true);
    expect(walk.linkIs(chainHash(EMPTY_CHAIN, seq + 1, leafHash(event)))).toBe(true);
    // Offering is not taking.
    walk.offer(Buffer.from('another'));
    expect(walk.seq).toBe(seq);
  });

  it('takes no shorter bytes for a hash', () => {
    const walk = new LogWalk(0);
    walk.offer(Buffer.from('event'));
    const leaf = leafHash(Buffer.from('event'));
    expect(walk.leafIs(leaf.subarray(0, 31))).toBe(false);
    expect(walk.leafIs(Buffer.concat([leaf, leaf]))).toBe(false);
    expect(walk.leafIs(Buffer.concat([leaf, leaf]), 32, 64)).toBe(true);
  });
});
