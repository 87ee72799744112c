import { Injectable } from '@nestjs/common';
import { currentTenant, TenantDatabase } from '../platform/database/index.js';
import { AppError, ServiceUnavailable } from '../platform/http/errors.js';
import { quotasOf, type Quotas } from './quotas.js';
import { TenantRegistry } from './tenant-registry.js';

export class QuotaExceeded extends AppError {
  readonly kind: 'unprocessable' | 'rate_limited';
  readonly code = 'QUOTA_EXCEEDED';
  override readonly quota: NonNullable<AppError['quota']>;

  constructor(name: keyof Quotas, limit: number, resetsAt?: Date) {
    super(
      resetsAt
        ? `The quota "${name}" of ${limit} is used up. Try again after ${resetsAt.toISOString()}, or ask the operator for more.`
        : `The quota "${name}" of ${limit} is used up. Delete what you do not need, or ask the operator for more.`,
    );
    this.kind = resetsAt ? 'rate_limited' : 'unprocessable';
    this.quota = { name, limit, ...(resetsAt && { resetsAt: resetsAt.toISOString() }) };
  }
}

const DAY_MS = 86_400_000;
const STORED = `(SELECT used FROM quota_usage WHERE quota = 'storageBytes')`;

/** What is counted is rows of these tables, of which each has an id, two times and a version: with PostgreSQL's own, bytes at least. */
const COUNTED = { users: 'users', agents: 'agents' } as const;
const ROW_BYTES = 64;

/**
 * With so much room left, those who add at the same time need not wait for one another. More than a server has
 * connections, as every transaction under way has one of them.
 */
const MUCH_ROOM = 1_000;

/**
 * Holds a tenant to its quotas, in the transaction that would exceed them. Near its end whoever adds something waits for
 * those who add the like at the same time, so that together they cannot go beyond; whoever reads waits for nobody.
 */
@Injectable()
export class EnforceQuotas {
  constructor(
    private readonly database: TenantDatabase,
    private readonly tenants: TenantRegistry,
  ) {}

  /**
   * Before one more is added to what `count` counts.
   * @throws {QuotaExceeded}
   * @throws {ServiceUnavailable} when the room that there was went while it was looked at
   */
  async requireRoom(
    name: 'users' | 'agents',
    count: () => Promise<number>,
    table: string = COUNTED[name],
  ): Promise<void> {
    const limits = await this.#limits();
    const limit = limits[name];
    const ample = await this.#lockAmple(name, limit, table);
    if (ample) return requireStorage(limits, ample.stored);
    const shared = limit - (await count()) >= MUCH_ROOM;
    const { stored, connections } = await this.#lock(name, shared);
    requireStorage(limits, stored);
    // A statement of its own: what others have committed before the lock was given is seen by the next one only.
    const used = await count();
    if (!shared && used >= limit) throw new QuotaExceeded(name, limit);
    // Others share the lock, each with one that is not seen yet: at most one on every connection.
    if (shared && used + connections > limit)
      throw new ServiceUnavailable('Others have added many at this moment. Repeat the request.');
  }

  /** Counts one more run of this day. Rolled back, it was none. @throws {QuotaExceeded} */
  async countRun(): Promise<void> {
    const limits = await this.#limits();
    const [row] = await this.database.query<{ used: string; stored: string | null }>({
      // A transaction that began before midnight counts for the new day, once that has begun.
      text: `INSERT INTO quota_usage AS u (quota, day, used) VALUES ('runsPerDay', (now() AT TIME ZONE 'UTC')::date, 1)
        ON CONFLICT (quota) DO UPDATE SET day = greatest(u.day, EXCLUDED.day),
          used = CASE WHEN u.day >= EXCLUDED.day THEN u.used + 1 ELSE 1 END
        RETURNING used, ${STORED} AS stored`,
      values: [],
    });
    requireStorage(limits, row?.stored);
    if (Number(row?.used) > limits.runsPerDay)
      throw new QuotaExceeded('runsPerDay', limits.runsPerDay, nextDay());
  }

  /**
   * The lock, shared, where nothing has to be counted: a table of so many bytes cannot have as many rows as are allowed, with
   * one more from every connection. How many there are then costs nothing, however many they are.
   */
  async #lockAmple(
    quota: string,
    limit: number,
    table: string,
  ): Promise<{ stored: string | null } | undefined> {
    const [held] = await this.database.query<{ stored: string | null }>({
      name: `ample_${table}`,
      text: `SELECT ${STORED} AS stored FROM quota_usage u WHERE quota = $1
        AND work.own_bytes('${table}') / ${ROW_BYTES} + current_setting('max_connections')::int <= $2 FOR SHARE OF u`,
      values: [quota, limit],
    });
    return held;
  }

  /** The row of a quota is its lock: shared with others who add, or held against them. Kept until the transaction ends. */
  async #lock(quota: string, shared: boolean): Promise<{ stored: string | null; connections: number }> {
    const [held] = await this.database.query<{ stored: string | null; connections: number }>({
      text: `SELECT ${STORED} AS stored, current_setting('max_connections')::int AS connections
        FROM quota_usage u WHERE quota = $1 ${shared ? 'FOR SHARE OF u' : 'FOR UPDATE OF u'}`,
      values: [quota],
    });
    if (held) return held;
    await this.database.query({
      text: 'INSERT INTO quota_usage (quota) VALUES ($1) ON CONFLICT (quota) DO NOTHING',
      values: [quota],
    });
    return this.#lock(quota, shared);
  }

  async #limits(): Promise<Quotas> {
    const tenant = await this.tenants.byId(currentTenant().id);
    return quotasOf(tenant ?? { quotas: {} });
  }
}

function requireStorage(limits: Quotas, stored: string | null | undefined): void {
  if (Number(stored ?? 0) >= limits.storageBytes)
    throw new QuotaExceeded('storageBytes', limits.storageBytes);
}

/** When a day of UTC begins anew. */
export function nextDay(): Date {
  return new Date((Math.floor(Date.now() / DAY_MS) + 1) * DAY_MS);
}
