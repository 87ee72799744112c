import { Injectable } from '@nestjs/common';
import type pg from 'pg';
import type { TenantId } from '../platform/database/index.js';
import {
  copyRows,
  CopyDiffers,
  inOneTransaction,
  type MoveSessions,
} from '../platform/database/moving/index.js';
import { RunQueues } from './job-queue.js';

/** The orders to run of a tenant that moves. Without their leases: in the new cell every run is there to be taken up. */
@Injectable()
export class MoveRuns {
  constructor(private readonly queues: RunQueues) {}

  async copy(sessions: MoveSessions, tenant: TenantId): Promise<number> {
    const waiting = await inOneTransaction(sessions.target, async () => {
      await sessions.target.query('DELETE FROM work.runs WHERE tenant = $1', [tenant]);
      const query = `SELECT tenant, run_id, created_at FROM work.runs WHERE tenant = '${tenant}'`;
      return copyRows(sessions, query, 'work.runs (tenant, run_id, created_at)');
    });
    // A worker may end a run that was over before the pause: there are fewer then, never others.
    const { rows } = await sessions.source.query<{ n: string }>(
      'SELECT count(*) AS n FROM work.runs WHERE tenant = $1',
      [tenant],
    );
    if (Number(rows[0]?.n) > waiting) throw new CopyDiffers('The copy of the orders to run is not whole.');
    return waiting;
  }

  /** Takes orders and queued jobs out of a cell in which the tenant does not live. */
  async remove(client: pg.Client, cell: string, tenant: TenantId): Promise<void> {
    await client.query('DELETE FROM work.runs WHERE tenant = $1', [tenant]);
    const left = await this.queues.of(cell).removeTenant(RunQueues.RUNS, tenant);
    if (left > 0) throw new Error(`${left} jobs are still with a worker.`);
  }
}
