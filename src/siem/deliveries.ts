import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { tenantId, type Cell, type TenantId, type TenantRef } from '../platform/database/index.js';
import { Cells } from '../platform/database/index.js';
import type { StoredCheckpoint } from './checkpoint-event.js';
import { LAG_SECONDS, NEXT_EVENT } from './delivery-lag.js';

const LEASE_SECONDS = 60;
/** The newest are kept: what they name is in the log all the same. */
const DEAD_LETTERS_KEPT = 1_000;

/** The right to send the next events to one destination. */
export interface DeliveryLease {
  readonly tenant: TenantId;
  readonly destination: string;
  readonly id: string;
  /** Everything up to here is delivered. */
  readonly seq: number;
  readonly failures: number;
}

export interface DeadLetter {
  readonly seq: number;
  readonly reason: string;
}

/** How a delivery stands, as its owner sees it. */
export interface DeliveryState {
  readonly seq: number;
  readonly head: number;
  readonly lagSeconds: number;
  readonly refused: number;
  readonly failures: number;
  readonly error: string | null;
  readonly deliveredAt: Date | null;
  readonly dueAt: Date;
}

/** How far each destination of each tenant has come; in the database of the tenant's cell, beside the log. */
@Injectable()
export class Deliveries {
  constructor(private readonly cells: Cells) {}

  /**
   * Takes destinations that are due, of logs that have grown, and that nobody holds. Each tenant's first before any
   * tenant's second, those that have waited longest first: no tenant waits for another's backlog.
   */
  async acquire(cell: Cell, limit: number, busy: readonly string[]): Promise<DeliveryLease[]> {
    const id = randomUUID();
    const { rows } = await cell.audit.query<{
      tenant: string;
      destination: string;
      seq: string;
      failures: number;
    }>(
      `WITH waiting AS (
         SELECT d.tenant, d.destination, d.due_at,
           row_number() OVER (PARTITION BY d.tenant ORDER BY d.due_at, d.destination) AS turn
         FROM audit.deliveries d JOIN audit.heads h ON h.tenant = d.tenant
         WHERE d.due_at <= now() AND h.seq > d.seq AND h.closed_at IS NULL AND NOT d.tenant = ANY($3)
           AND (d.lease_until IS NULL OR d.lease_until < now())),
       taken AS (
         SELECT d.tenant, d.destination FROM audit.deliveries d JOIN waiting w USING (tenant, destination)
         WHERE w.turn <= 2 AND (d.lease_until IS NULL OR d.lease_until < now())
         ORDER BY w.turn, w.due_at LIMIT $2 FOR UPDATE OF d SKIP LOCKED)
       UPDATE audit.deliveries d SET lease_id = $1, lease_until = now() + make_interval(secs => ${LEASE_SECONDS})
       FROM taken t WHERE d.tenant = t.tenant AND d.destination = t.destination
       RETURNING d.tenant, d.destination, d.seq, d.failures`,
      [id, limit, busy],
    );
    return rows.map(({ tenant, destination, seq, failures }) => ({
      tenant: tenantId(tenant),
      destination,
      id,
      seq: Number(seq),
      failures,
    }));
  }

  /** Before each sending. False when another process has taken the delivery over. */
  async renew(cell: Cell, lease: DeliveryLease): Promise<boolean> {
    const { rowCount } = await cell.audit.query(
      `UPDATE audit.deliveries SET lease_until = now() + make_interval(secs => ${LEASE_SECONDS}) ${MINE}`,
      mine(lease),
    );
    return rowCount === 1;
  }

  /** Notes how far it has come and what was refused for good, in one statement; the lease goes on. */
  async advance(cell: Cell, lease: DeliveryLease, seq: number, dead: readonly DeadLetter[]): Promise<void> {
    await cell.audit.query(
      `WITH moved AS (
         UPDATE audit.deliveries SET seq = $4, refused = refused + $5, failures = 0, error = NULL, delivered_at = now()
         ${MINE} RETURNING tenant, destination)
       INSERT INTO audit.dead_letters (tenant, destination, seq, reason)
       SELECT m.tenant, m.destination, e.seq, e.reason
       FROM moved m, unnest($6::bigint[], $7::text[]) AS e(seq, reason) ON CONFLICT DO NOTHING`,
      [...mine(lease), seq, dead.length, dead.map((one) => one.seq), dead.map((one) => one.reason)],
    );
    if (dead.length > 0) await this.#forgetOldest(cell, lease);
  }

  /** The newest checkpoint of what the destination has, unless it was sent that or a newer one. */
  async newestCheckpoint(
    cell: Cell,
    { tenant, destination }: DeliveryLease,
    through: number,
  ): Promise<StoredCheckpoint | undefined> {
    const { rows } = await cell.audit.query<{ size: string; note: string; at: Date }>(
      `SELECT c.size, c.note, c.at FROM audit.checkpoints c JOIN audit.deliveries d ON d.tenant = c.log
       WHERE d.tenant = $1 AND d.destination = $2 AND c.size <= $3 AND c.size > d.checkpoint_size
       ORDER BY c.size DESC LIMIT 1`,
      [tenant, destination, through],
    );
    const [row] = rows;
    return row && { ...row, size: Number(row.size) };
  }

  async noteCheckpoint(cell: Cell, lease: DeliveryLease, size: number): Promise<void> {
    await cell.audit.query(`UPDATE audit.deliveries SET checkpoint_size = $4 ${MINE}`, [
      ...mine(lease),
      size,
    ]);
  }

  /** Gives it back; the next turn is everybody else's first. */
  async release(cell: Cell, lease: DeliveryLease): Promise<void> {
    await cell.audit.query(
      `UPDATE audit.deliveries SET due_at = now(), lease_id = NULL, lease_until = NULL ${MINE}`,
      mine(lease),
    );
  }

  async postpone(cell: Cell, lease: DeliveryLease, error: string, seconds: number): Promise<void> {
    await cell.audit.query(
      `UPDATE audit.deliveries SET failures = failures + 1, error = $4, due_at = now() + make_interval(secs => $5),
         lease_id = NULL, lease_until = NULL ${MINE}`,
      [...mine(lease), error, seconds],
    );
  }

  /** Of a destination that is paused: nothing is due until it is resumed. */
  async park(cell: Cell, lease: DeliveryLease): Promise<void> {
    await cell.audit.query(
      `UPDATE audit.deliveries SET due_at = 'infinity', failures = 0, error = NULL, lease_id = NULL, lease_until = NULL ${MINE}`,
      mine(lease),
    );
  }

  /** Of a destination that is gone. */
  async forget(
    cell: Cell,
    { tenant, destination }: Pick<DeliveryLease, 'tenant' | 'destination'>,
  ): Promise<void> {
    const values = [tenant, destination];
    await cell.audit.query('DELETE FROM audit.dead_letters WHERE tenant = $1 AND destination = $2', values);
    await cell.audit.query('DELETE FROM audit.deliveries WHERE tenant = $1 AND destination = $2', values);
  }

  /** Takes every lease of a cell away. Only for a process that is the only one: they belong to its predecessor. */
  async freeAll(cell: Cell): Promise<void> {
    await cell.audit.query(
      'UPDATE audit.deliveries SET lease_id = NULL, lease_until = NULL WHERE lease_id IS NOT NULL',
    );
  }

  async states(tenant: TenantRef): Promise<ReadonlyMap<string, DeliveryState>> {
    const { rows } = await this.cells.of(tenant.cell).audit.query<StateRow>(
      `SELECT d.destination, d.seq, COALESCE(h.seq, 0) AS head, d.refused, d.failures, d.error, d.delivered_at,
         CASE WHEN d.due_at = 'infinity' THEN now() ELSE d.due_at END AS due_at,
         ${LAG_SECONDS} AS lag_seconds
       FROM audit.deliveries d LEFT JOIN audit.heads h ON h.tenant = d.tenant ${NEXT_EVENT}
       WHERE d.tenant = $1`,
      [tenant.id],
    );
    return new Map(rows.map((row) => [row.destination, stateOf(row)]));
  }

  /** The newest first, before a position. */
  async deadLetters(
    tenant: TenantRef,
    destination: string,
    before: string | undefined,
    limit: number,
  ): Promise<{ seq: string; reason: string; at: Date }[]> {
    const { rows } = await this.cells.of(tenant.cell).audit.query<{ seq: string; reason: string; at: Date }>(
      `SELECT seq, reason, at FROM audit.dead_letters
       WHERE tenant = $1 AND destination = $2 AND ($3::bigint IS NULL OR seq < $3) ORDER BY seq DESC LIMIT $4`,
      [tenant.id, destination, before ?? null, limit],
    );
    return rows;
  }

  /** Takes one destination, due or not, for who sends to it out of turn; undefined while somebody else sends. */
  async take(tenant: TenantRef, destination: string): Promise<DeliveryLease | undefined> {
    const id = randomUUID();
    const { rows } = await this.cells.of(tenant.cell).audit.query<{ seq: string; failures: number }>(
      `UPDATE audit.deliveries SET lease_id = $3, lease_until = now() + make_interval(secs => ${LEASE_SECONDS})
       WHERE tenant = $1 AND destination = $2 AND (lease_until IS NULL OR lease_until < now())
       RETURNING seq, failures`,
      [tenant.id, destination, id],
    );
    const [row] = rows;
    return row && { tenant: tenant.id, destination, id, seq: Number(row.seq), failures: row.failures };
  }

  /** Gives back what was taken out of turn: what is due when stays as it was. */
  async putBack(cell: Cell, lease: DeliveryLease): Promise<void> {
    await cell.audit.query(
      `UPDATE audit.deliveries SET lease_id = NULL, lease_until = NULL ${MINE}`,
      mine(lease),
    );
  }

  /** Positions of events that were put aside, the oldest first. */
  async putAside(
    { tenant, destination }: DeliveryLease,
    cell: Cell,
    { from, to }: { readonly from: number; readonly to: number },
    limit: number,
  ): Promise<number[]> {
    const { rows } = await cell.audit.query<{ seq: string }>(
      `SELECT seq FROM audit.dead_letters WHERE tenant = $1 AND destination = $2 AND seq BETWEEN $3 AND $4
       ORDER BY seq LIMIT $5`,
      [tenant, destination, from, to, limit],
    );
    return rows.map(({ seq }) => Number(seq));
  }

  /** Of an event that was put aside and is with the receiver now, or is kept nowhere any more. */
  async forgetDeadLetter({ tenant, destination }: DeliveryLease, cell: Cell, seq: number): Promise<void> {
    await cell.audit.query(
      'DELETE FROM audit.dead_letters WHERE tenant = $1 AND destination = $2 AND seq = $3',
      [tenant, destination, seq],
    );
  }

  async #forgetOldest(cell: Cell, { tenant, destination }: DeliveryLease): Promise<void> {
    await cell.audit.query(
      `DELETE FROM audit.dead_letters WHERE tenant = $1 AND destination = $2 AND seq <= (
         SELECT seq FROM audit.dead_letters WHERE tenant = $1 AND destination = $2
         ORDER BY seq DESC OFFSET ${DEAD_LETTERS_KEPT} LIMIT 1)`,
      [tenant, destination],
    );
  }
}

const MINE = 'WHERE tenant = $1 AND destination = $2 AND lease_id = $3';

function mine({ tenant, destination, id }: DeliveryLease): unknown[] {
  return [tenant, destination, id];
}

interface StateRow {
  destination: string;
  seq: string;
  head: string;
  refused: string;
  failures: number;
  error: string | null;
  delivered_at: Date | null;
  due_at: Date;
  lag_seconds: string;
}

function stateOf(row: StateRow): DeliveryState {
  return {
    seq: Number(row.seq),
    head: Number(row.head),
    lagSeconds: Math.max(0, Math.floor(Number(row.lag_seconds))),
    refused: Number(row.refused),
    failures: row.failures,
    error: row.error,
    deliveredAt: row.delivered_at,
    dueAt: row.due_at,
  };
}
