import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Cells, type TenantId, type TenantRef } from '../platform/database/index.js';
import { Log } from '../platform/observability/log.js';
import { RunQueues } from './job-queue.js';

export const LEASE_SECONDS = 30;
/** A run that was queued this long ago and that nobody holds is queued again: the queue may have lost it. */
const REQUEUE_SECONDS = 30;
const BATCH = 200;

/** The right to work on a run. Whoever else holds a later one has taken it over. */
export interface Lease {
  readonly tenant: TenantRef;
  readonly runId: string;
  readonly id: string;
}

/**
 * Which runs are to be worked on, and who does. The table `work.runs` is the truth; the queue only makes a worker look.
 */
@Injectable()
export class RunDispatch {
  constructor(
    private readonly cells: Cells,
    private readonly queues: RunQueues,
    private readonly log: Log,
  ) {}

  /** Tells the queue. That it cannot be told delays the run until the next sweep, and is no error of the caller's. */
  async enqueue(tenant: TenantRef, runId: string): Promise<void> {
    try {
      await this.queues.of(tenant.cell).enqueue(RunQueues.RUNS, { tenantId: tenant.id, id: runId });
      await this.cells
        .of(tenant.cell)
        .control.query('UPDATE work.runs SET enqueued_at = now() WHERE tenant = $1 AND run_id = $2', [
          tenant.id,
          runId,
        ]);
    } catch (error) {
      this.log.error('a run could not be queued; the next sweep does it', error, { runId });
    }
  }

  /** Takes the run, unless somebody else holds it or it is done. */
  async acquire(tenant: TenantRef, runId: string): Promise<Lease | undefined> {
    const id = randomUUID();
    const taken = await this.cells.of(tenant.cell).control.query(
      `UPDATE work.runs SET lease_id = $3, lease_until = now() + make_interval(secs => $4)
       WHERE tenant = $1 AND run_id = $2 AND (lease_until IS NULL OR lease_until < now())`,
      [tenant.id, runId, id, LEASE_SECONDS],
    );
    return taken.rowCount === 1 ? { tenant, runId, id } : undefined;
  }

  /** False when somebody else has taken the run over. */
  async renew({ tenant, runId, id }: Lease): Promise<boolean> {
    const renewed = await this.cells.of(tenant.cell).control.query(
      `UPDATE work.runs SET lease_until = now() + make_interval(secs => $4)
       WHERE tenant = $1 AND run_id = $2 AND lease_id = $3`,
      [tenant.id, runId, id, LEASE_SECONDS],
    );
    return renewed.rowCount === 1;
  }

  /**
   * Gives the run back, for another worker to take at once. The database may be the very thing that failed: it is asked
   * again until the lease would have ended by itself, or the worker stops.
   */
  async giveBack(lease: Lease, stop: AbortSignal): Promise<void> {
    for (const until = Date.now() + LEASE_SECONDS * 1_000; ;) {
      try {
        return await this.#release(lease);
      } catch (error) {
        if (stop.aborted || Date.now() > until) {
          this.log.error('a run could not be given back; its lease ends by itself', error, {
            runId: lease.runId,
          });
          return;
        }
        await sleep(1_000);
      }
    }
  }

  async #release({ tenant, runId, id }: Lease): Promise<void> {
    await this.cells
      .of(tenant.cell)
      .control.query(
        'UPDATE work.runs SET lease_id = NULL, lease_until = NULL, enqueued_at = NULL WHERE tenant = $1 AND run_id = $2 AND lease_id = $3',
        [tenant.id, runId, id],
      );
  }

  /** Says that a queued run was not taken up, so that the next sweep need not wait for the queue to have lost it. */
  async notTaken(tenant: TenantRef, runId: string): Promise<void> {
    await this.cells
      .of(tenant.cell)
      .control.query(
        'UPDATE work.runs SET enqueued_at = NULL WHERE tenant = $1 AND run_id = $2 AND lease_id IS NULL',
        [tenant.id, runId],
      );
  }

  /** Forgets everything that was to be done for a tenant that is gone. Answers how many jobs are still at work. */
  async forget(tenant: TenantRef): Promise<number> {
    await this.cells.of(tenant.cell).control.query('DELETE FROM work.runs WHERE tenant = $1', [tenant.id]);
    return this.queues.of(tenant.cell).removeTenant(RunQueues.RUNS, tenant.id);
  }

  /** Takes every lease away. Only for a process that is the only one, before it works: they belong to its predecessor. */
  async freeAll(cell: string): Promise<void> {
    await this.cells
      .of(cell)
      .control.query('UPDATE work.runs SET lease_id = NULL, lease_until = NULL, enqueued_at = NULL');
  }

  async done({ tenant, runId, id }: Lease): Promise<void> {
    await this.cells
      .of(tenant.cell)
      .control.query('DELETE FROM work.runs WHERE tenant = $1 AND run_id = $2 AND lease_id = $3', [
        tenant.id,
        runId,
        id,
      ]);
  }

  /**
   * Queues what ought to be worked on and is not: never queued, lost by the queue, or left by a worker that died. What
   * belongs to one of `waiting` is left alone, however much it is.
   */
  async sweep(cell: string, waiting: readonly TenantId[]): Promise<number> {
    const { rows } = await this.cells.of(cell).control.query<{ tenant: string; run_id: string }>(
      `UPDATE work.runs SET enqueued_at = now()
       WHERE (tenant, run_id) IN (
         SELECT tenant, run_id FROM work.runs
         WHERE COALESCE(lease_until, enqueued_at + make_interval(secs => $1), created_at + interval '2 seconds') < now()
           AND COALESCE(enqueued_at, 'epoch') < now() - interval '2 seconds' AND tenant <> ALL($2)
         ORDER BY created_at LIMIT ${BATCH} FOR UPDATE SKIP LOCKED)
       RETURNING tenant, run_id`,
      [REQUEUE_SECONDS, waiting],
    );
    for (const row of rows) {
      await this.queues.of(cell).enqueue(RunQueues.RUNS, { tenantId: row.tenant, id: row.run_id });
    }
    return rows.length;
  }
}
