import { HASH_LENGTH, nodeHash } from './hashes.js';
import type { NodeId } from './proof.js';

/** A tile holds 256 hashes side by side: nodes of one level that is a multiple of eight. */
export const TILE_HEIGHT = 8;
export const TILE_WIDTH = 256;

/** C2SP tlog-tiles: level 0 holds leaf hashes, level 1 the roots of full tiles of level 0, and so on. */
export interface TileId {
  readonly level: number;
  readonly index: number;
}

/** The tile that has what is needed for a node, and the entries of it from which the node is made. */
export function tileOf({
  level,
  index,
}: NodeId): TileId & { readonly first: number; readonly count: number } {
  const tileLevel = Math.floor(level / TILE_HEIGHT);
  const count = 2 ** (level - tileLevel * TILE_HEIGHT);
  const entry = index * count;
  return { level: tileLevel, index: Math.floor(entry / TILE_WIDTH), first: entry % TILE_WIDTH, count };
}

/** The hash of a node from its tile's bytes. @throws when the tile is too short for it */
export function nodeInTile(node: NodeId, tile: Buffer): Buffer {
  const { first, count } = tileOf(node);
  return subtree(tile, first, count);
}

/** The root of a full tile: an entry of the level above. */
export function tileRoot(tile: Buffer): Buffer {
  return subtree(tile, 0, TILE_WIDTH);
}

function subtree(tile: Buffer, first: number, count: number): Buffer {
  if (count === 1) {
    const hash = tile.subarray(first * HASH_LENGTH, (first + 1) * HASH_LENGTH);
    if (hash.length < HASH_LENGTH) throw new Error(`The tile has no entry ${first}.`);
    return hash;
  }
  const middle = count / 2;
  return nodeHash(subtree(tile, first, middle), subtree(tile, first + middle, middle));
}

/** C2SP tlog-tiles: `tile/<level>/<index>`, the index in groups of three digits; `.p/<width>` for a partial tile. */
export function tilePath({ level, index }: TileId, width: number = TILE_WIDTH): string {
  const digits = String(index).padStart(Math.ceil(String(index).length / 3) * 3, '0');
  const groups = digits.match(/\d{3}/g) ?? [];
  const path = groups.map((group, at) => (at < groups.length - 1 ? `x${group}` : group)).join('/');
  return `tile/${level}/${path}${width < TILE_WIDTH ? `.p/${width}` : ''}`;
}
