import { emptyRoot, HASH_LENGTH, nodeHash } from './hashes.js';

/**
 * A complete subtree of the tree: over the leaves from `index * 2^level` up to, not including, `(index + 1) * 2^level`.
 * Level 0 is the leaves' own hashes.
 */
export interface NodeId {
  readonly level: number;
  readonly index: number;
}

/** The hash of a complete subtree. */
export type NodeHashes = (node: NodeId) => Buffer;

/** The proof does not show what it is said to show. */
export class ProofRefused extends Error {
  override readonly name = 'ProofRefused';
}

/** The root of the tree over the first `size` leaves. */
export function rootOf(size: number, hashes: NodeHashes): Buffer {
  return size === 0 ? emptyRoot() : rangeHash(0, size, hashes);
}

/**
 * RFC 6962 section 2.1.1: the hashes by which the leaf of an index, counted from 0, is shown to be one of the first
 * `size`. From the leaf's neighbour up.
 */
export function inclusionProof(index: number, size: number, hashes: NodeHashes): Buffer[] {
  requireNumber(index);
  requireNumber(size);
  if (index >= size) throw new Error('There is no such leaf in a tree of this size.');
  return inclusionPath(index, 0, size, hashes);
}

/** RFC 6962 section 2.1.2: the hashes by which the first `from` leaves are shown to be the same in both trees. */
export function consistencyProof(from: number, to: number, hashes: NodeHashes): Buffer[] {
  requireNumber(from);
  requireNumber(to);
  if (from > to) throw new Error('The first tree is the larger one.');
  return from === 0 || from === to ? [] : consistencyPath(from, 0, to, true, hashes);
}

/** The nodes that `make` asks for, so that they can be fetched at once before it is called in earnest. */
export function nodesFor(make: (hashes: NodeHashes) => unknown): NodeId[] {
  const asked = new Map<string, NodeId>();
  const nothing = Buffer.alloc(HASH_LENGTH);
  make((node) => {
    asked.set(`${node.level}/${node.index}`, node);
    return nothing;
  });
  return [...asked.values()];
}

/** RFC 9162 section 2.1.3.2. @throws {ProofRefused} */
export function verifyInclusion(
  leaf: Buffer,
  index: number,
  size: number,
  proof: readonly Buffer[],
  root: Buffer,
): void {
  requireNumber(index);
  requireNumber(size);
  if (index >= size) throw new ProofRefused('There is no such leaf in a tree of this size.');
  let [node, last] = [index, size - 1];
  let hash = leaf;
  for (const sibling of proof) {
    if (last === 0) throw new ProofRefused('The inclusion proof is too long.');
    if (isOdd(node) || node === last) {
      hash = nodeHash(sibling, hash);
      while (!isOdd(node) && node !== 0) [node, last] = [half(node), half(last)];
    } else {
      hash = nodeHash(hash, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  if (last !== 0) throw new ProofRefused('The inclusion proof is too short.');
  if (!hash.equals(root)) throw new ProofRefused('The inclusion proof leads to another root.');
}

/** RFC 9162 section 2.1.4.2. @throws {ProofRefused} */
export function verifyConsistency(
  from: { readonly size: number; readonly root: Buffer },
  to: { readonly size: number; readonly root: Buffer },
  proof: readonly Buffer[],
): void {
  requireNumber(from.size);
  requireNumber(to.size);
  if (from.size > to.size) throw new ProofRefused('The log has become shorter.');
  if (from.size === to.size) {
    if (proof.length > 0) throw new ProofRefused('Two trees of one size need no proof.');
    if (!from.root.equals(to.root)) throw new ProofRefused('Two trees of one size have different roots.');
    return;
  }
  if (from.size === 0) {
    if (proof.length > 0)
      throw new ProofRefused('Every tree is consistent with the empty one without proof.');
    if (!from.root.equals(emptyRoot())) throw new ProofRefused('The empty tree has another root.');
    return;
  }
  const path = isPowerOfTwo(from.size) ? [from.root, ...proof] : [...proof];
  const [seed, ...rest] = path;
  if (!seed) throw new ProofRefused('The consistency proof is too short.');
  let [node, last] = [from.size - 1, to.size - 1];
  while (isOdd(node)) [node, last] = [half(node), half(last)];
  let [older, newer] = [seed, seed];
  for (const sibling of rest) {
    if (last === 0) throw new ProofRefused('The consistency proof is too long.');
    if (isOdd(node) || node === last) {
      older = nodeHash(sibling, older);
      newer = nodeHash(sibling, newer);
      while (!isOdd(node) && node !== 0) [node, last] = [half(node), half(last)];
    } else {
      newer = nodeHash(newer, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  if (last !== 0) throw new ProofRefused('The consistency proof is too short.');
  if (!older.equals(from.root)) throw new ProofRefused('The log has other events than when it was shorter.');
  if (!newer.equals(to.root)) throw new ProofRefused('The consistency proof leads to another root.');
}

function inclusionPath(index: number, start: number, end: number, hashes: NodeHashes): Buffer[] {
  if (end - start === 1) return [];
  const middle = start + largestPowerBelow(end - start);
  return index < middle
    ? [...inclusionPath(index, start, middle, hashes), rangeHash(middle, end, hashes)]
    : [...inclusionPath(index, middle, end, hashes), rangeHash(start, middle, hashes)];
}

/** RFC 6962's SUBPROOF; `whole` says that the older tree's root is known to who verifies. */
function consistencyPath(
  from: number,
  start: number,
  end: number,
  whole: boolean,
  hashes: NodeHashes,
): Buffer[] {
  if (from === end) return whole ? [] : [rangeHash(start, end, hashes)];
  const middle = start + largestPowerBelow(end - start);
  return from <= middle
    ? [...consistencyPath(from, start, middle, whole, hashes), rangeHash(middle, end, hashes)]
    : [...consistencyPath(from, middle, end, false, hashes), rangeHash(start, middle, hashes)];
}

/** MTH over the leaves from `start` up to `end`; `start` is a multiple of the largest power of two that fits. */
function rangeHash(start: number, end: number, hashes: NodeHashes): Buffer {
  const size = end - start;
  if (isPowerOfTwo(size)) return hashes({ level: Math.log2(size), index: start / size });
  const middle = start + largestPowerBelow(size);
  return nodeHash(rangeHash(start, middle, hashes), rangeHash(middle, end, hashes));
}

/** Numbers of events are beyond 2^31: no bit operations here, which cut to 32 bits. */
function half(value: number): number {
  return Math.floor(value / 2);
}

function isOdd(value: number): boolean {
  return value % 2 === 1;
}

function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(Math.log2(value));
}

function largestPowerBelow(size: number): number {
  let power = 1;
  while (power * 2 < size) power *= 2;
  return power;
}

function requireNumber(value: number): void {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new ProofRefused('Sizes and indexes are whole numbers.');
}
