import { Injectable } from '@nestjs/common';
import type pg from 'pg';
import { expiryOf } from '@waxell/transparency';
import { appendWithin, coldKey } from '../audit/index.js';
import type { TenantRef } from '../platform/database/index.js';
import { lockOf, TenantObjects } from '../platform/objects/index.js';

/** Events of a log that are in one object, whose time is over. */
export interface DueRange {
  readonly first: number;
  readonly last: number;
}

/** Deletes the first object of a cold log, and has the log itself say so: what follows vouches for where it begins. */
@Injectable()
export class ExpireRange {
  constructor(private readonly objects: TenantObjects) {}

  /** False where it is locked, or its log is not open here: it stays, and is looked at again. */
  async execute(owner: pg.Client, tenant: TenantRef, range: DueRange): Promise<boolean> {
    const open = 'SELECT 1 FROM audit.heads WHERE tenant = $1 AND closed_at IS NULL';
    if ((await owner.query(open, [tenant.id])).rows.length === 0) return false;
    try {
      await this.objects.delete(tenant, coldKey(range));
    } catch (error) {
      if (lockOf(error)) return false;
      throw error;
    }
    // Whoever dies here finds an object that is gone in the next round, and goes on.
    await owner.query('BEGIN');
    try {
      const noted = await this.#note(owner, tenant, range);
      await owner.query(noted ? 'COMMIT' : 'ROLLBACK');
      return noted;
    } catch (error) {
      await owner.query('ROLLBACK');
      throw error;
    }
  }

  async #note(owner: pg.Client, tenant: TenantRef, { first, last }: DueRange): Promise<boolean> {
    const { rows } = await owner.query<{ chain_hash: Buffer; frontier: Buffer }>(
      'SELECT chain_hash, frontier FROM audit.cold WHERE tenant = $1 AND first = $2',
      [tenant.id, first],
    );
    const [row] = rows;
    if (!row) return false;
    const seq = await appendWithin(owner, tenant, {
      action: 'audit.expired',
      actor: { type: 'system', id: 'retention' },
      outcome: 'success',
      changes: expiryOf(first, { seq: last, chain: row.chain_hash, frontier: row.frontier }),
    });
    if (seq === undefined) return false;
    await owner.query(
      'UPDATE audit.cold SET expired_at = now(), vouched_by = $3 WHERE tenant = $1 AND first = $2',
      [tenant.id, first, seq],
    );
    // Only the last is needed: what is kept goes on from there.
    await owner.query('DELETE FROM audit.cold WHERE tenant = $1 AND first < $2', [tenant.id, first]);
    return true;
  }
}
