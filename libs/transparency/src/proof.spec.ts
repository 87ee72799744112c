import { randomBytes } from 'node:crypto';
import { CoMETRE } from '@transmute/rfc9162';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Frontier } from './frontier.js';
import { leafHash, nodeHash } from './hashes.js';
import {
  consistencyProof,
  inclusionProof,
  nodesFor,
  ProofRefused,
  rootOf,
  verifyConsistency,
  verifyInclusion,
  type NodeHashes,
} from './proof.js';

const independent = CoMETRE.RFC9162_SHA256;

interface Log {
  readonly events: readonly Buffer[];
  readonly hashes: NodeHashes;
  readonly root: (size: number) => Buffer;
}

function log(size: number): Log {
  const events = Array.from({ length: size }, () => randomBytes(8));
  const leaves = events.map((event) => leafHash(event));
  const hashes: NodeHashes = ({ level, index }) => {
    const leaf = leaves[index];
    if (level === 0 && leaf) return leaf;
    if (level === 0) throw new Error('No such leaf.');
    return nodeHash(
      hashes({ level: level - 1, index: index * 2 }),
      hashes({ level: level - 1, index: index * 2 + 1 }),
    );
  };
  const root = (count: number): Buffer => {
    const frontier = Frontier.of(Buffer.alloc(0), 0);
    for (const leaf of leaves.slice(0, count)) frontier.append(leaf);
    return frontier.root();
  };
  return { events, hashes, root };
}

const at = <T>(list: readonly T[], index: number): T => {
  const found = list[index];
  if (found === undefined) throw new Error('Out of range.');
  return found;
};

const hexes = (hashes: readonly Uint8Array[]): string[] =>
  hashes.map((hash) => Buffer.from(hash).toString('hex'));

describe('proofs', () => {
  const largest = log(130);
  const size = fc.integer({ min: 1, max: 130 });
  const sizeAndIndex = size.chain((n) => fc.tuple(fc.constant(n), fc.nat(n - 1)));
  const twoSizes = size.chain((n) => fc.tuple(fc.integer({ min: 1, max: n }), fc.constant(n)));

  it('know the root that the frontier knows', () => {
    for (let n = 0; n <= 130; n += 1) expect(rootOf(n, largest.hashes)).toEqual(largest.root(n));
  });

  it('of inclusion are those of an independent implementation, and each accepts the other’s', async () => {
    await fc.assert(
      fc.asyncProperty(sizeAndIndex, async ([n, index]) => {
        const entries = largest.events.slice(0, n);
        const leaves = await Promise.all(entries.map((entry) => independent.leaf(entry)));
        const theirs = await independent.inclusion_proof(index, leaves);
        const ours = inclusionProof(index, n, largest.hashes);
        expect(hexes(ours)).toEqual(hexes(theirs.inclusion_path));
        verifyInclusion(leafHash(at(entries, index)), index, n, ours, largest.root(n));
        const root = await independent.verify_inclusion_proof(at(leaves, index), {
          ...theirs,
          inclusion_path: ours,
        });
        expect(hexes([root])).toEqual([largest.root(n).toString('hex')]);
      }),
      { numRuns: 150 },
    );
  });

  it('of consistency are accepted by an independent implementation, and by ours', async () => {
    await fc.assert(
      fc.asyncProperty(twoSizes, async ([from, to]) => {
        const ours = consistencyProof(from, to, largest.hashes);
        verifyConsistency(
          { size: from, root: largest.root(from) },
          { size: to, root: largest.root(to) },
          ours,
        );
        if (from === to) return;
        // Where the older tree is complete, RFC 9162 leaves its root out of the proof; this implementation keeps it in.
        const complete = Number.isInteger(Math.log2(from)) ? [largest.root(from)] : [];
        const path = [...complete, ...ours];
        const proof = { log_id: '', tree_size_1: from, tree_size_2: to, consistency_path: path };
        expect(await independent.verify_consistency_proof(largest.root(from), largest.root(to), proof)).toBe(
          true,
        );
      }),
      { numRuns: 150 },
    );
  });

  it('are refused when anything in them is another thing', () => {
    fc.assert(
      fc.property(sizeAndIndex, fc.nat(), fc.nat(255), ([n, index], where, what) => {
        const proof = inclusionProof(index, n, largest.hashes);
        const leaf = leafHash(at(largest.events, index));
        const root = largest.root(n);
        const altered = proof.map((hash) => Buffer.from(hash));
        const victim = altered[where % Math.max(altered.length, 1)];
        if (victim) {
          victim[where % 32] = (victim[where % 32] ?? 0) ^ (what || 1);
          expect(() => verifyInclusion(leaf, index, n, altered, root)).toThrow(ProofRefused);
          expect(() => verifyInclusion(leaf, index, n, proof.slice(1), root)).toThrow(ProofRefused);
        }
        expect(() => verifyInclusion(leaf, index, n, [...proof, root], root)).toThrow(ProofRefused);
        expect(() => verifyInclusion(leafHash(Buffer.of(what)), index, n, proof, root)).toThrow(ProofRefused);
        expect(() => verifyInclusion(leaf, n, n, proof, root)).toThrow(ProofRefused);
      }),
    );
  });

  it('of consistency are refused for a log that became shorter, or that has another past', () => {
    fc.assert(
      fc.property(twoSizes, ([from, to]) => {
        const other = log(to);
        const proof = consistencyProof(from, to, other.hashes);
        const older = { size: from, root: largest.root(from) };
        const newer = { size: to, root: other.root(to) };
        expect(() => verifyConsistency(older, newer, proof)).toThrow(ProofRefused);
        if (from === to) return;
        expect(() => verifyConsistency(newer, older, proof)).toThrow('become shorter');
        expect(() =>
          verifyConsistency({ size: from, root: other.root(from) }, newer, [...proof, newer.root]),
        ).toThrow(ProofRefused);
      }),
    );
  });

  it('of ten million events have at most 24 hashes, and need few nodes', () => {
    const n = 10_000_000;
    for (const index of [0, 1, 123_456, 8_388_607, 8_388_608, n - 1]) {
      const nodes = nodesFor((hashes) => inclusionProof(index, n, hashes));
      const proof = inclusionProof(index, n, () => Buffer.alloc(32));
      expect(proof.length).toBeLessThanOrEqual(24);
      expect(nodes.length).toBeLessThanOrEqual(24 + 24);
    }
  });
});
