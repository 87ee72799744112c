import type pg from 'pg';
import {
  HASH_LENGTH,
  nodeInTile,
  nodesFor,
  tileOf,
  tilePath,
  tileRoot,
  TILE_WIDTH,
  type NodeHashes,
  type TileId,
} from '@waxell/transparency';

/** The log of all checkpoints of a cell. Every other log is a tenant's. */
export const ROOT_LOG = 'roots';

/** A tenant's tiles are among its other objects: they go where it goes, and when it goes. */
export function objectKey(log: string, path: string): string {
  return log === ROOT_LOG ? `audit/${ROOT_LOG}/${path}` : `tenants/${log}/audit/${path}`;
}

/** Where a log's leaves are read from once its events are in cold storage: full tiles. */
export interface TileObjects {
  get(key: string): Promise<Buffer | null>;
}

interface Queries {
  query<Row extends pg.QueryResultRow>(
    text: string,
    values: readonly unknown[],
  ): Promise<pg.QueryResult<Row>>;
}

/**
 * The Merkle tree of one log, as far as it is tiled: leaves are read from where the log's entries stand, 256 at a time, and
 * from the tile that was stored of them where those are in cold storage; everything above from `audit.tiles`.
 */
export class LogTree {
  constructor(
    private readonly db: Queries,
    private readonly log: string,
    private readonly objects: TileObjects,
  ) {}

  /** Calls `make` with the hashes that it needs. They are read with one query for each tile. */
  async with<T>(make: (hashes: NodeHashes) => T): Promise<T> {
    const tiles = new Map<string, Buffer>();
    for (const node of nodesFor(make)) {
      const tile = tileOf(node);
      if (!tiles.has(keyOf(tile))) tiles.set(keyOf(tile), await this.#tile(tile));
    }
    return make((node) => nodeInTile(node, tiles.get(keyOf(tileOf(node))) ?? Buffer.alloc(0)));
  }

  /** @throws where the tile is not full */
  async full(id: TileId): Promise<Buffer> {
    const tile = await this.#tile(id);
    if (tile.length < TILE_WIDTH * HASH_LENGTH)
      throw new Error(`Log ${this.log} has no full tile ${tilePath(id)}.`);
    return tile;
  }

  /** Adds the root of the full tile of an index, of the level below, as the next entry of this level; and so on upwards. */
  async raise(level: number, index: number, root: Buffer): Promise<void> {
    const tile = { level, index: Math.floor(index / TILE_WIDTH) };
    // Written at its place rather than appended: repeating it changes nothing.
    const { rows } = await this.db.query<{ hashes: Buffer }>(
      `INSERT INTO audit.tiles AS t (log, level, index, hashes) VALUES ($1, $2, $3, $4)
       ON CONFLICT (log, level, index) DO UPDATE SET hashes = substring(t.hashes, 1, $5) || excluded.hashes
       RETURNING hashes`,
      [this.log, tile.level, tile.index, root, (index % TILE_WIDTH) * HASH_LENGTH],
    );
    const bytes = rows[0]?.hashes ?? Buffer.alloc(0);
    if (bytes.length === TILE_WIDTH * HASH_LENGTH) await this.raise(level + 1, tile.index, tileRoot(bytes));
  }

  async #tile({ level, index }: TileId): Promise<Buffer> {
    if (level > 0) {
      const { rows } = await this.db.query<{ hashes: Buffer }>(
        'SELECT hashes FROM audit.tiles WHERE log = $1 AND level = $2 AND index = $3',
        [this.log, level, index],
      );
      return rows[0]?.hashes ?? Buffer.alloc(0);
    }
    const [first, last] = [index * TILE_WIDTH + 1, (index + 1) * TILE_WIDTH];
    if (this.log === ROOT_LOG) {
      const { rows } = await this.db.query<{ leaf_hash: Buffer }>(
        'SELECT leaf_hash FROM audit.roots WHERE seq BETWEEN $1 AND $2 ORDER BY seq',
        [first, last],
      );
      return Buffer.concat(rows.map((row) => row.leaf_hash));
    }
    const { rows } = await this.db.query<{ seq: string; leaf_hash: Buffer }>(
      'SELECT seq, leaf_hash FROM audit.events WHERE tenant = $1 AND seq BETWEEN $2 AND $3 ORDER BY seq',
      [this.log, first, last],
    );
    const hot = Buffer.concat(rows.map((row) => row.leaf_hash));
    if (rows[0]?.seq === String(first)) return hot;
    return this.#coldTile(index, rows[0] ? Number(rows[0].seq) - 1 : last, hot);
  }

  /** A tile that begins in cold storage, which ends at an event of it, or after it. */
  async #coldTile(index: number, end: number, hot: Buffer): Promise<Buffer> {
    const { rows } = await this.db.query<{ last: string; leaves: Buffer }>(
      'SELECT last, leaves FROM audit.cold WHERE tenant = $1 AND published ORDER BY first DESC LIMIT 1',
      [this.log],
    );
    const [cold] = rows;
    // Of the tile in which cold storage ends, the leaves stand beside the last object; tiles before it are full.
    if (cold && Math.floor(Number(cold.last) / TILE_WIDTH) === index && Number(cold.last) <= end)
      return Buffer.concat([cold.leaves, hot]);
    const tile = await this.objects.get(objectKey(this.log, tilePath({ level: 0, index })));
    if (!tile) return hot;
    const above = await this.#tile({ level: 1, index: Math.floor(index / TILE_WIDTH) });
    const at = (index % TILE_WIDTH) * HASH_LENGTH;
    const root = above.subarray(at, at + HASH_LENGTH);
    // While the levels above are raised anew there is nothing yet that it could be held against.
    if (
      root.length === HASH_LENGTH &&
      (tile.length !== TILE_WIDTH * HASH_LENGTH || !tileRoot(tile).equals(root))
    )
      throw new Error(`The stored tile ${index} of the leaves of ${this.log} is not what it was.`);
    return tile;
  }
}

function keyOf({ level, index }: TileId): string {
  return `${level}/${index}`;
}
