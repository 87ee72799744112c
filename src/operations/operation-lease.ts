import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Cells } from '../platform/database/index.js';
import type { Operation, OperationData } from './operation.js';
import { COLUMNS, operationOf, type OperationRow } from './operations.js';

export const LEASE_SECONDS = 30;
/** Finished operations are kept for this long, to be looked at. */
const KEEP_DAYS = 90;

/** The right to work on an operation. Everything that is noted under a lease that another process has taken is refused. */
export interface OperationLease {
  readonly operation: Operation;
  readonly id: string;
}

/** A step that a program has. */
export interface KnownStep {
  readonly kind: string;
  readonly step: string;
}

/** Operations at a step that a program does not have, and that none has taken up. */
export interface Untaken extends KnownStep {
  readonly operations: number;
  /** Since when the one that waits longest is due. */
  readonly since: Date;
  readonly tenant: string;
  readonly operation: string;
}

export type Progress =
  | {
      readonly status: 'running';
      readonly step: string;
      readonly data: OperationData;
      readonly afterSeconds: number;
    }
  | { readonly status: 'running'; readonly error: string; readonly afterSeconds: number }
  | { readonly status: 'done' }
  | { readonly status: 'failed'; readonly error: string };

/** The operations as those who work on them see them: who holds which, and what came of it. */
@Injectable()
export class OperationLeases {
  constructor(private readonly cells: Cells) {}

  /** Takes an operation that is due at one of these steps, and that nobody holds. */
  async acquire(steps: readonly KnownStep[]): Promise<OperationLease | undefined> {
    const id = randomUUID();
    const { rows } = await this.cells.home.control.query<OperationRow>(
      `UPDATE control.operations SET lease_id = $1, lease_until = now() + make_interval(secs => $2), attempts = attempts + 1
       WHERE id = (
         SELECT id FROM control.operations
         WHERE status = 'running' AND due_at <= now() AND (lease_until IS NULL OR lease_until < now())
           AND (kind, step) IN (SELECT * FROM unnest($3::text[], $4::text[]))
         ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
       RETURNING ${COLUMNS}`,
      [id, LEASE_SECONDS, steps.map(({ kind }) => kind), steps.map(({ step }) => step)],
    );
    return rows[0] && { operation: operationOf(rows[0]), id };
  }

  /** What is at none of these steps, due for so many seconds, and held by nobody; the first that waits longest. */
  async untaken(steps: readonly KnownStep[], seconds: number): Promise<Untaken[]> {
    const { rows } = await this.cells.home.control.query<Untaken>(
      `SELECT kind, step, count(*)::int AS operations, min(due_at) AS since,
         (array_agg(tenant ORDER BY due_at))[1] AS tenant, (array_agg(id ORDER BY due_at))[1] AS operation
       FROM control.operations
       WHERE status = 'running' AND due_at <= now() - make_interval(secs => $1) AND (lease_until IS NULL OR lease_until < now())
         AND (kind, step) NOT IN (SELECT * FROM unnest($2::text[], $3::text[]))
       GROUP BY kind, step ORDER BY since`,
      [seconds, steps.map(({ kind }) => kind), steps.map(({ step }) => step)],
    );
    return rows;
  }

  /** False when another process has taken it over. */
  async renew({ operation, id }: OperationLease): Promise<boolean> {
    const { rowCount } = await this.cells.home.control.query(
      `UPDATE control.operations SET lease_until = now() + make_interval(secs => $3) WHERE id = $1 AND lease_id = $2`,
      [operation.id, id, LEASE_SECONDS],
    );
    return rowCount === 1;
  }

  /** Notes what came of a step, and gives the operation back. */
  async note({ operation, id }: OperationLease, progress: Progress): Promise<void> {
    const moved = progress.status === 'running' && 'step' in progress ? progress : undefined;
    const error = 'error' in progress ? progress.error : null;
    const after = progress.status === 'running' ? progress.afterSeconds : 0;
    await this.cells.home.control.query(
      `UPDATE control.operations SET status = $3, step = COALESCE($4, step), data = COALESCE($5::jsonb, data), error = $6,
         attempts = CASE WHEN $4::text IS NULL THEN attempts ELSE 0 END, due_at = now() + make_interval(secs => $7),
         finished_at = CASE WHEN $3 = 'running' THEN NULL ELSE now() END, lease_id = NULL, lease_until = NULL
       WHERE id = $1 AND lease_id = $2`,
      [operation.id, id, progress.status, moved?.step, moved && JSON.stringify(moved.data), error, after],
    );
  }

  /** Takes every lease away. Only for a process that is the only one: they belong to its predecessor. */
  async freeAll(): Promise<void> {
    await this.cells.home.control.query(
      `UPDATE control.operations SET lease_id = NULL, lease_until = NULL WHERE lease_id IS NOT NULL`,
    );
  }

  async forgetOld(): Promise<void> {
    await this.cells.home.control.query(
      `DELETE FROM control.operations WHERE status <> 'running' AND finished_at < now() - make_interval(days => $1)`,
      [KEEP_DAYS],
    );
  }
}
