import { tilePath, TILE_WIDTH, type TileId } from '@waxell/transparency';
import type { RetentionConfig } from '../platform/config/index.js';
import type { Cell } from '../platform/database/index.js';
import type { CellObjects } from '../platform/objects/index.js';
import { LogTree, objectKey, ROOT_LOG } from './log-tree.js';

const LOGS_AT_ONCE = 100;
const TILES_AT_ONCE = 100;
const ROUNDS_AT_ONCE = 100;
const DAY_MS = 86_400_000;

interface Unstored {
  log: string;
  first: string;
  last: string;
}

/**
 * Puts into a cell's object store what was signed: full tiles, and the checkpoints of the log of checkpoints. What could
 * not be put is found again the next time; nothing that is signed waits for it.
 */
export class StoreProofs {
  constructor(
    private readonly objects: CellObjects,
    private readonly retention: RetentionConfig,
  ) {}

  async execute(cell: Cell, stopping: () => boolean): Promise<void> {
    for (let after = ''; !stopping();) {
      const { rows } = await cell.audit.query<Unstored>(
        `SELECT log, first, last FROM audit.unstored WHERE log > $1 ORDER BY log LIMIT ${LOGS_AT_ONCE}`,
        [after],
      );
      for (const row of rows) await this.#tiles(cell, row, stopping);
      const last = rows.at(-1);
      if (!last || rows.length < LOGS_AT_ONCE) break;
      after = last.log;
    }
    while (!stopping() && (await this.#rounds(cell)) === ROUNDS_AT_ONCE);
  }

  async #tiles(cell: Cell, { log, first, last }: Unstored, stopping: () => boolean): Promise<void> {
    const tree = new LogTree(cell.audit, log, this.objects.of(cell.name));
    for (let from = Number(first), end = from; from < Number(last) && !stopping(); from = end) {
      end = Math.min(Number(last), from + TILES_AT_ONCE);
      for (let index = from; index < end; index += 1)
        for (const tile of completedBy(index))
          await this.objects.of(cell.name).put(objectKey(log, tilePath(tile)), await tree.full(tile));
      await cell.audit.query(
        'UPDATE audit.unstored SET first = GREATEST(first, LEAST($2, last)) WHERE log = $1',
        [log, end],
      );
    }
    // More may have been signed meanwhile.
    await cell.audit.query('DELETE FROM audit.unstored WHERE log = $1 AND first >= last', [log]);
  }

  /**
   * The checkpoints of the log of checkpoints, each with the leaf hashes that came since the one before. Locked for as long
   * as logs are kept, where the store can: nobody takes back what everybody was shown.
   */
  async #rounds(cell: Cell): Promise<number> {
    const waiting = await cell.audit.query<{ size: string; note: string; before: string | null }>(
      `SELECT c.size, c.note, (SELECT max(b.size) FROM audit.checkpoints b WHERE b.log = c.log AND b.size < c.size) AS before
       FROM audit.checkpoints c WHERE NOT c.stored ORDER BY c.size LIMIT ${ROUNDS_AT_ONCE}`,
    );
    const store = this.objects.of(cell.name);
    for (const { size, note, before } of waiting.rows) {
      const { rows } = await cell.audit.query<{ leaf_hash: Buffer }>(
        'SELECT leaf_hash FROM audit.roots WHERE seq > $1 AND seq <= $2 ORDER BY seq',
        [before ?? 0, size],
      );
      const body = { checkpoint: note, covers: rows.map((row) => row.leaf_hash.toString('base64')) };
      const key = objectKey(ROOT_LOG, `checkpoint/${size.padStart(15, '0')}`);
      const retainUntil = new Date(Date.now() + this.retention.coldDays * DAY_MS);
      await store.put(key, Buffer.from(JSON.stringify(body)), store.locks ? { retainUntil } : {});
      await cell.audit.query('UPDATE audit.checkpoints SET stored = true WHERE log = $1 AND size = $2', [
        ROOT_LOG,
        size,
      ]);
    }
    return waiting.rows.length;
  }
}

/** The tiles that are full with a tile of leaves: itself, and those above in which it is the last entry. */
function completedBy(index: number): TileId[] {
  const tiles: TileId[] = [{ level: 0, index }];
  for (let [level, at] = [1, index]; (at + 1) % TILE_WIDTH === 0; level += 1) {
    at = Math.floor(at / TILE_WIDTH);
    tiles.push({ level, index: at });
  }
  return tiles;
}
