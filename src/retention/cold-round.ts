import { Injectable } from '@nestjs/common';
import type pg from 'pg';
import {
  asOwner,
  LogPeriods,
  tenantId,
  type Cell,
  type LogPeriod,
  type TenantId,
} from '../platform/database/index.js';
import { Log } from '../platform/observability/log.js';
import { ExpireLogs } from './expire-logs.js';
import { RetentionPolicy, type Retention } from './retention-policy.js';
import { LogNotReady, StoreLog } from './store-log.js';

/** Held by whoever brings a cell's logs to cold storage. */
const COLD_LOCK = 7_283_011;

/**
 * Brings what is old to cold storage, period by period, and takes away what is older than it is kept for. Of many
 * processes one at a time does it for a cell. A process may die anywhere in it: what was stored is found by the next.
 */
@Injectable()
export class ColdRound {
  constructor(
    private readonly policy: RetentionPolicy,
    private readonly store: StoreLog,
    private readonly expire: ExpireLogs,
    private readonly log: Log,
  ) {}

  /** Answers the periods whose tables were dropped; undefined where another process is at it. */
  async execute(cell: Cell, signal: AbortSignal): Promise<number[] | undefined> {
    return asOwner(cell, async (owner) => {
      const { rows } = await owner.query<{ held: boolean }>('SELECT pg_try_advisory_lock($1) AS held', [
        COLD_LOCK,
      ]);
      if (!rows[0]?.held) return undefined;
      const policies = await this.policy.ofCell(cell);
      await this.expire.execute(cell, owner, policies, signal);
      return this.#store(cell, owner, policies, signal);
    });
  }

  async #store(
    cell: Cell,
    owner: pg.Client,
    policies: ReadonlyMap<string, Retention>,
    signal: AbortSignal,
  ): Promise<number[]> {
    const periods = new LogPeriods(cell);
    const dropped: number[] = [];
    for (const period of await periods.ended(this.policy.usual.hotDays)) {
      const tenants = await tenantsIn(cell, period);
      const longest = Math.max(0, ...tenants.map((id) => policies.get(id)?.hotDays ?? 0));
      const due = await periods.ended(Math.max(longest, this.policy.usual.hotDays));
      // In their order: a log's cold part is its beginning.
      if (!due.some((each) => each.period === period.period)) break;
      if (!(await this.#storeAll(cell, period, tenants, policies, signal))) break;
      if (!(await publish(owner, period, tenants))) break;
      await periods.drop(period, await eventsStored(owner, period));
      dropped.push(period.period);
    }
    return dropped;
  }

  /** Whether the logs of a period are stored. One that cannot be keeps none of its neighbours from it. */
  async #storeAll(
    cell: Cell,
    period: LogPeriod,
    tenants: readonly TenantId[],
    policies: ReadonlyMap<string, Retention>,
    signal: AbortSignal,
  ): Promise<boolean> {
    let all = true;
    for (const id of tenants) {
      try {
        await this.store.execute(cell.tenant(id), period, policies.get(id) ?? this.policy.usual, signal);
      } catch (error) {
        all = false;
        if (signal.aborted) throw error;
        const where = { cell: cell.name, tenant: id, period: period.period };
        if (error instanceof LogNotReady) this.log.debug('a log waits for cold storage', where);
        else this.log.error('a log could not be brought to cold storage; its period stays', error, where);
      }
    }
    return all;
  }
}

/** One by one along the key: a week's events are not read to know whose they are. */
async function tenantsIn({ audit }: Cell, { period }: LogPeriod): Promise<TenantId[]> {
  const found: TenantId[] = [];
  for (let after = ''; ;) {
    const { rows } = await audit.query<{ tenant: string }>(
      'SELECT tenant FROM audit.events WHERE period = $1 AND tenant > $2 ORDER BY tenant LIMIT 1',
      [period, after],
    );
    if (!rows[0]) return found;
    after = rows[0].tenant;
    found.push(tenantId(after));
  }
}

/**
 * From here on the period is read from the objects. Not while one of the tenants is being moved: what was copied with it is
 * what was published before its writes were paused. The lock orders the two.
 */
async function publish(
  owner: pg.Client,
  { period }: LogPeriod,
  tenants: readonly TenantId[],
): Promise<boolean> {
  await owner.query('BEGIN');
  await owner.query('LOCK TABLE control.write_pauses IN SHARE MODE');
  const paused = await owner.query('SELECT 1 FROM control.write_pauses WHERE tenant = ANY($1) LIMIT 1', [
    tenants,
  ]);
  if (paused.rows.length === 0)
    await owner.query('UPDATE audit.cold SET published = true WHERE period = $1', [period]);
  await owner.query('COMMIT');
  return paused.rows.length === 0;
}

async function eventsStored(owner: pg.Client, { period }: LogPeriod): Promise<number> {
  const { rows } = await owner.query<{ events: string }>(
    'SELECT COALESCE(sum(last - first + 1), 0) AS events FROM audit.cold WHERE period = $1 AND published',
    [period],
  );
  return Number(rows[0]?.events);
}
