import { Injectable } from '@nestjs/common';
import { Cells, type TenantRef } from '../database/index.js';
import { CellObjects, keyOf, lockOf, TenantObjects } from './tenant-objects.js';

const PAGE = 500;

/**
 * Objects that outlive their tenant in a cell, because they are locked: which, and until when. Their keys name the
 * tenant's id and nothing else of it.
 */
@Injectable()
export class RetainedObjects {
  constructor(
    private readonly cells: Cells,
    private readonly objects: TenantObjects,
    private readonly stores: CellObjects,
  ) {}

  /**
   * Deletes an object, or notes it for `sweep` where it is locked. Answers until when it stays; undefined where it is gone.
   * @throws where it is held, for which there is no time
   */
  async deleteOrNote(tenant: TenantRef, key: string): Promise<Date | undefined> {
    try {
      await this.objects.delete(tenant, key);
      return undefined;
    } catch (error) {
      const lock = lockOf(error);
      if (!lock?.retainUntil || lock.legalHold) throw error;
      await this.cells.of(tenant.cell).control.query(
        `INSERT INTO work.retained_objects (key, retain_until) VALUES ($1, $2)
         ON CONFLICT (key) DO UPDATE SET retain_until = EXCLUDED.retain_until`,
        [keyOf(tenant, key), lock.retainUntil],
      );
      return lock.retainUntil;
    }
  }

  /** Deletes those of a cell whose time is over, a page of them; answers how many. */
  async sweep(cell: string): Promise<number> {
    const { control } = this.cells.of(cell);
    const { rows } = await control.query<{ key: string }>(
      `SELECT key FROM work.retained_objects WHERE retain_until < now() ORDER BY retain_until LIMIT ${PAGE}`,
    );
    for (const { key } of rows) {
      await this.stores.of(cell).delete(key);
      await control.query('DELETE FROM work.retained_objects WHERE key = $1', [key]);
    }
    return rows.length;
  }
}
