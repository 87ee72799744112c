import { Injectable } from '@nestjs/common';
import type pg from 'pg';
import type { TenantId, TenantRef } from '../platform/database/index.js';
import {
  copyRows,
  CopyDiffers,
  inOneTransaction,
  type MoveSessions,
} from '../platform/database/moving/index.js';
import { CHECKPOINT_ROUND_LOCK, INDEX_LOCK } from '../platform/database/index.js';
import { AuditLog } from './audit-log.js';

const COLUMNS = 'tenant, seq, id, at, action, actor, outcome, event, leaf_hash, chain_hash';
const COLD_COLUMNS =
  'tenant, first, last, bytes, sha256, chain_hash, frontier, leaves, appended_before, locked_until, held, published, expired_at, vouched_by';
const EXPORT_COLUMNS =
  'id, tenant, format, filter, first, last, status, error, events, bytes, sha256, parts, created_at, expires_at';
/** What a cell has of a log besides its events, by the tenant's name. */
const OF_TENANT = [
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
  'postings',
] as const;
const PER_STEP = 50_000;
const DELETED_AT_ONCE = 20_000;

/** The end of a log that is closed. */
export interface LogHead {
  readonly seq: string;
  readonly chain_hash: Buffer;
  readonly frontier: Buffer;
}

/**
 * The log of a tenant that moves. Events never change: what was copied and compared once is done with, and the last part
 * is what has come since. The log stays one: chain, tree and numbers go on where they were.
 */
@Injectable()
export class MoveLog {
  constructor(private readonly log: AuditLog) {}

  /**
   * Copies events that the target does not have, up to 50,000 of them, and compares them. Answers how many the target has,
   * and whether that was all.
   */
  async copy(
    sessions: MoveSessions,
    tenant: TenantId,
  ): Promise<{ readonly events: number; readonly complete: boolean }> {
    // What is cold at the source goes with the objects.
    const [there, cold] = [await lastSeq(sessions.target, tenant), await lastCold(sessions.source, tenant)];
    const last = Math.max(there, cold);
    const end = Math.min(await lastSeq(sessions.source, tenant), last + PER_STEP);
    const range = `tenant = '${tenant}' AND seq > ${last} AND seq <= ${end}`;
    await inOneTransaction(sessions.target, async () => {
      const query = `SELECT ${COLUMNS} FROM audit.events WHERE ${range}`;
      await copyRows(sessions, query, `audit.events (${COLUMNS})`);
      const [wanted, found] = await Promise.all([
        contentOf(sessions.source, range),
        contentOf(sessions.target, range),
      ]);
      if (wanted !== found) throw new CopyDiffers(`The copy of the log differs between ${last} and ${end}.`);
    });
    return { events: end, complete: end < last + PER_STEP };
  }

  /** Moves what is in the outbox into the log. For a tenant whose writes are paused: nothing comes after it. */
  async drain(source: pg.Client, cell: string, tenant: TenantId): Promise<void> {
    await this.log.drainOutbox(cell);
    const left = await source.query('SELECT 1 FROM audit.outbox WHERE tenant = $1 LIMIT 1', [tenant]);
    if (left.rowCount !== 0) throw new Error('The outbox still has events of this organisation.');
  }

  /** From here on nobody can add to the log at the source; whoever waits to goes on at the target. */
  async close(source: pg.Client, tenant: TenantId): Promise<LogHead> {
    // Whatever checkpoints logs at this moment ends first, and passes over the closed one the next time.
    await source.query('SELECT pg_advisory_lock($1)', [CHECKPOINT_ROUND_LOCK]);
    const { rows } = await source.query<LogHead>(
      'UPDATE audit.heads SET closed_at = seq WHERE tenant = $1 RETURNING seq, chain_hash, frontier',
      [tenant],
    );
    await source.query('SELECT pg_advisory_unlock($1)', [CHECKPOINT_ROUND_LOCK]);
    if (!rows[0]) throw new Error('The log of this organisation has no head.');
    return rows[0];
  }

  async reopen(source: pg.Client, tenant: TenantId): Promise<void> {
    await source.query('UPDATE audit.heads SET closed_at = NULL WHERE tenant = $1', [tenant]);
  }

  /** Copies the end of a log that is closed in the cell it leaves, and its head. @throws {CopyDiffers} unless the last event is the head's */
  async finish(
    sessions: MoveSessions,
    { id: tenant, cell }: Pick<TenantRef, 'id' | 'cell'>,
    head: LogHead,
  ): Promise<number> {
    const { events } = await this.copy(sessions, tenant);
    if (Number(head.seq) !== events) throw new CopyDiffers('The copy of the log is not whole.');
    await sessions.target.query(
      `INSERT INTO audit.heads (tenant, seq, chain_hash, frontier) VALUES ($1, $2, $3, $4)
       ON CONFLICT (tenant) DO UPDATE SET seq = $2, chain_hash = $3, frontier = $4, closed_at = NULL`,
      [tenant, head.seq, head.chain_hash, head.frontier],
    );
    await this.#cold(sessions, tenant);
    const linked = await sessions.target.query(
      `SELECT 1 FROM audit.heads h LEFT JOIN audit.events e ON e.tenant = h.tenant AND e.seq = h.seq
         LEFT JOIN audit.cold c ON c.tenant = h.tenant AND c.last = h.seq
       WHERE h.tenant = $1 AND COALESCE(e.chain_hash, c.chain_hash) = h.chain_hash`,
      [tenant],
    );
    if (linked.rowCount !== 1)
      throw new CopyDiffers('The log does not end with the event that its head says.');
    await this.#checkpoints(sessions, tenant, cell);
    await this.#deliveries(sessions, tenant);
    return events;
  }

  /** What is known of the objects in cold storage, which were copied. Events that became cold after they were copied go. */
  async #cold(sessions: MoveSessions, tenant: TenantId): Promise<void> {
    await sessions.target.query('DELETE FROM audit.cold WHERE tenant = $1', [tenant]);
    await copyRows(
      sessions,
      `SELECT ${COLD_COLUMNS} FROM audit.cold WHERE tenant = '${tenant}' AND published`,
      `audit.cold (${COLD_COLUMNS})`,
    );
    await sessions.target.query('DELETE FROM audit.events WHERE tenant = $1 AND seq <= $2', [
      tenant,
      await lastCold(sessions.target, tenant),
    ]);
  }

  /**
   * What was signed stays, and stays published where it was. The target raises the tiles anew, and enters its own
   * checkpoints into its log of them.
   */
  async #checkpoints(sessions: MoveSessions, tenant: TenantId, cell: string): Promise<void> {
    for (const table of ['checkpoints', 'published'])
      await sessions.target.query(`DELETE FROM audit.${table} WHERE log = $1`, [tenant]);
    const here = `COALESCE(published_in, '${cell.replaceAll("'", "''")}')`;
    await copyRows(
      sessions,
      `SELECT log, size, root, note, at, root_seq, true, ${here} FROM audit.checkpoints WHERE log = '${tenant}'`,
      'audit.checkpoints (log, size, root, note, at, root_seq, stored, published_in)',
    );
    await copyRows(
      sessions,
      `SELECT log, size, root_seq, ${here} FROM audit.published WHERE log = '${tenant}'`,
      'audit.published (log, size, root_seq, published_in)',
    );
  }

  /** How far its destinations have come, which notices it has taken, what was exported of it, and when its alerts are due. Whoever sends at this moment may send the same again from the new cell. */
  async #deliveries(sessions: MoveSessions, tenant: TenantId): Promise<void> {
    for (const table of ['deliveries', 'dead_letters'])
      await sessions.target.query(`DELETE FROM audit.${table} WHERE tenant = $1`, [tenant]);
    const columns = 'tenant, destination, seq, due_at, failures, error, refused, delivered_at';
    const query = `SELECT ${columns} FROM audit.deliveries WHERE tenant = '${tenant}'`;
    await copyRows(sessions, query, `audit.deliveries (${columns})`);
    const dead = 'tenant, destination, seq, reason, at';
    await copyRows(
      sessions,
      `SELECT ${dead} FROM audit.dead_letters WHERE tenant = '${tenant}'`,
      `audit.dead_letters (${dead})`,
    );
    for (const table of ['delivered', 'exports'])
      await sessions.target.query(`DELETE FROM audit.${table} WHERE tenant = $1`, [tenant]);
    await copyRows(
      sessions,
      `SELECT ${EXPORT_COLUMNS} FROM audit.exports WHERE tenant = '${tenant}'`,
      `audit.exports (${EXPORT_COLUMNS})`,
    );
    await copyRows(
      sessions,
      `SELECT tenant, id FROM audit.delivered WHERE tenant = '${tenant}'`,
      'audit.delivered (tenant, id)',
    );
    await sessions.target.query('DELETE FROM work.alerts WHERE tenant = $1', [tenant]);
    await copyRows(
      sessions,
      `SELECT tenant, due_at FROM work.alerts WHERE tenant = '${tenant}'`,
      'work.alerts (tenant, due_at)',
    );
  }

  /** Takes the log out of a cell in which the tenant does not live. */
  async remove(client: pg.Client, tenant: TenantId): Promise<void> {
    await client.query('DELETE FROM audit.outbox WHERE tenant = $1', [tenant]);
    let deleted: number;
    do {
      const batch = await client.query(
        `DELETE FROM audit.events WHERE tenant = $1
           AND seq <= (SELECT min(seq) + ${DELETED_AT_ONCE - 1} FROM audit.events WHERE tenant = $1)`,
        [tenant],
      );
      deleted = batch.rowCount ?? 0;
    } while (deleted > 0);
    // Whoever indexes the log at this moment ends first, and finds no event the next time.
    await client.query('SELECT pg_advisory_lock($1, hashtext($2))', [INDEX_LOCK, tenant]);
    for (const table of OF_TENANT)
      await client.query(`DELETE FROM audit.${table} WHERE tenant = $1`, [tenant]);
    await client.query('SELECT pg_advisory_unlock($1, hashtext($2))', [INDEX_LOCK, tenant]);
    for (const table of ['alerts', 'password_resets'])
      await client.query(`DELETE FROM work.${table} WHERE tenant = $1`, [tenant]);
    for (const table of ['checkpoints', 'published', 'progress', 'tiles', 'unstored'])
      await client.query(`DELETE FROM audit.${table} WHERE log = $1`, [tenant]);
  }
}

async function lastSeq(client: pg.Client, tenant: TenantId): Promise<number> {
  const { rows } = await client.query<{ last: string | null }>(
    'SELECT max(seq) AS last FROM audit.events WHERE tenant = $1',
    [tenant],
  );
  return Math.max(Number(rows[0]?.last ?? 0), await lastCold(client, tenant));
}

async function lastCold(client: pg.Client, tenant: TenantId): Promise<number> {
  const { rows } = await client.query<{ last: string | null }>(
    'SELECT max(last) AS last FROM audit.cold WHERE tenant = $1 AND published',
    [tenant],
  );
  return Number(rows[0]?.last ?? 0);
}

async function contentOf(client: pg.Client, range: string): Promise<string> {
  const { rows } = await client.query<{ content: string }>(
    `SELECT count(*) || ':' || COALESCE(
       bit_xor(('x' || left(encode(sha256(convert_to(ROW(${COLUMNS})::text, 'UTF8')), 'hex'), 32))::bit(128))::text, '') AS content
     FROM audit.events WHERE ${range}`,
  );
  return rows[0]?.content ?? '';
}
