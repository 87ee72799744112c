import { Injectable } from '@nestjs/common';
import type pg from 'pg';
import { Cells } from './cells.js';
import { asOwner } from './owner-session.js';
import type { TenantRef } from './tenant-id.js';

/** Held by whoever checkpoints a cell's logs (src/proofs/checkpoint-round.ts). */
export const CHECKPOINT_ROUND_LOCK = 7_283_007;

/** Held shared, with the hash of a tenant's name, by whoever writes a part of the index over its log. */
export const INDEX_LOCK = 7_283_021;

const TABLES = [
  'heads',
  'deliveries',
  'dead_letters',
  'cold',
  'restores',
  'exports',
  'looked_at',
  'rechecked',
  'delivered',
  'indexed',
] as const;

/** Where a tenant's log ended. */
export interface LogEnd {
  readonly seq: number;
  readonly chainHash: Buffer;
  readonly frontier: Buffer;
}

/**
 * Ends and takes away what a purged tenant has in the schemas that all share. As the databases' owner: no login of the
 * running system may take an event out of a log.
 */
@Injectable()
export class TenantErasure {
  constructor(private readonly cells: Cells) {}

  /** Nothing can be appended to the tenant's log any more. Repeated, it answers the same. */
  closeLog(tenant: TenantRef): Promise<LogEnd> {
    return this.#asOwner(tenant, async (client) => {
      await client.query('BEGIN');
      // Whatever checkpoints logs at this moment ends first, and finds no head the next time.
      await client.query('SELECT pg_advisory_xact_lock($1)', [CHECKPOINT_ROUND_LOCK]);
      // The head is locked first, as by all who append; with it gone, and this entry there, nobody makes another.
      await client.query(
        `INSERT INTO audit.closed (tenant, seq, chain_hash, frontier)
         SELECT tenant, seq, chain_hash, frontier FROM audit.heads WHERE tenant = $1 FOR UPDATE
         ON CONFLICT DO NOTHING`,
        [tenant.id],
      );
      await client.query(
        `INSERT INTO audit.closed (tenant, seq, chain_hash, frontier)
         VALUES ($1, 0, decode(repeat('00', 32), 'hex'), '') ON CONFLICT DO NOTHING`,
        [tenant.id],
      );
      // Whoever indexes the log at this moment ends first, and finds no head the next time.
      await client.query('SELECT pg_advisory_xact_lock($1, hashtext($2))', [INDEX_LOCK, tenant.id]);
      for (const table of TABLES)
        await client.query(`DELETE FROM audit.${table} WHERE tenant = $1`, [tenant.id]);
      for (const table of ['alerts', 'password_resets'])
        await client.query(`DELETE FROM work.${table} WHERE tenant = $1`, [tenant.id]);
      for (const table of ['checkpoints', 'published', 'progress', 'tiles', 'unstored'])
        await client.query(`DELETE FROM audit.${table} WHERE log = $1`, [tenant.id]);
      const { rows } = await client.query<{ seq: string; chain_hash: Buffer; frontier: Buffer }>(
        'SELECT seq, chain_hash, frontier FROM audit.closed WHERE tenant = $1',
        [tenant.id],
      );
      await client.query('COMMIT');
      const [end] = rows;
      if (!end) throw new Error(`The log of tenant ${tenant.id} could not be closed.`);
      return { seq: Number(end.seq), chainHash: end.chain_hash, frontier: end.frontier };
    });
  }

  /** Takes at most so many events of a closed log away; answers how many. */
  eraseLog(tenant: TenantRef, limit: number): Promise<number> {
    return this.#asOwner(tenant, async (client) => {
      await client.query('DELETE FROM audit.outbox WHERE tenant = $1', [tenant.id]);
      await client.query('DELETE FROM audit.postings WHERE tenant = $1', [tenant.id]);
      const { rowCount } = await client.query(
        `DELETE FROM audit.events WHERE tenant = $1 AND seq IN (
           SELECT seq FROM audit.events WHERE tenant = $1 ORDER BY seq LIMIT $2)
           AND EXISTS (SELECT 1 FROM audit.closed WHERE tenant = $1)`,
        [tenant.id, limit],
      );
      return rowCount ?? 0;
    });
  }

  #asOwner<T>(tenant: TenantRef, work: (client: pg.Client) => Promise<T>): Promise<T> {
    return asOwner(this.cells.of(tenant.cell), work);
  }
}
