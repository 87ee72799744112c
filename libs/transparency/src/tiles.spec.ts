import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { leafHash, nodeHash } from './hashes.js';
import { rootOf, type NodeId } from './proof.js';
import { nodeInTile, tileOf, tilePath, tileRoot } from './tiles.js';

const COUNT = 66_000;
const leaves = Array.from({ length: COUNT }, (_, at) => leafHash(Buffer.from(String(at))));

/** Every level of the tree over the leaves, of complete subtrees only. */
const levels: Buffer[][] = [leaves];
for (let row = leaves; row.length > 1;) {
  const above: Buffer[] = [];
  for (let at = 0; at + 1 < row.length; at += 2)
    above.push(nodeHash(row[at] ?? Buffer.alloc(0), row[at + 1] ?? Buffer.alloc(0)));
  levels.push(above);
  row = above;
}

function tile({ level, index }: { level: number; index: number }): Buffer {
  return Buffer.concat((levels[level * 8] ?? []).slice(index * 256, (index + 1) * 256));
}

describe('tiles', () => {
  it('hold every node of the tree, at every level', () => {
    const node = fc.nat(levels.length - 1).chain((level) => {
      const count = levels[level]?.length ?? 0;
      return fc.record({ level: fc.constant(level), index: fc.nat(Math.max(count - 1, 0)) });
    });
    fc.assert(
      fc.property(
        node.filter(({ level, index }) => index < (levels[level]?.length ?? 0)),
        (id: NodeId) => {
          expect(nodeInTile(id, tile(tileOf(id)))).toEqual(levels[id.level]?.[id.index]);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('have as their root the entry of the level above', () => {
    expect(tileRoot(tile({ level: 0, index: 3 }))).toEqual(levels[8]?.[3]);
    expect(tileRoot(tile({ level: 1, index: 0 }))).toEqual(levels[16]?.[0]);
    expect(() => tileRoot(tile({ level: 1, index: 1 }))).toThrow('no entry');
  });

  it('give the root of the whole log', () => {
    const above = levels.map((row) => row.length);
    expect(above.at(-1)).toBe(1);
    const byTiles = rootOf(COUNT, (id) => nodeInTile(id, tile(tileOf(id))));
    expect(byTiles).toEqual(rootOf(COUNT, ({ level, index }) => levels[level]?.[index] ?? Buffer.alloc(0)));
  });

  it('have the paths of C2SP tlog-tiles', () => {
    expect(tilePath({ level: 0, index: 0 })).toBe('tile/0/000');
    expect(tilePath({ level: 1, index: 1_234_067 })).toBe('tile/1/x001/x234/067');
    expect(tilePath({ level: 2, index: 5 }, 17)).toBe('tile/2/005.p/17');
  });
});
