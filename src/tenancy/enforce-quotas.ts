import { Injectable } from '@nestjs/common';
import { currentTenant, TenantDatabase } from '../platform/database/index.js';
import { AppError } from '../platform/http/errors.js';
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

/**
 * Holds a tenant to its quotas, in the transaction that would exceed them. Whoever adds something waits for those who
 * add the like at the same time, so that together they cannot go beyond; whoever reads waits for nobody.
 */
@Injectable()
export class EnforceQuotas {
  constructor(
    private readonly database: TenantDatabase,
    private readonly tenants: TenantRegistry,
  ) {}

  /** Before one more is added to what `count` counts. @throws {QuotaExceeded} */
  async requireRoom(name: 'users' | 'agents', count: () => Promise<number>): Promise<void> {
    const limits = await this.#limits();
    // A statement of its own: what others have committed meanwhile is seen by the next one only.
    const [row] = await this.database.query<{ stored: string | null }>({
      text: `INSERT INTO quota_usage AS u (quota) VALUES ($1) ON CONFLICT (quota) DO UPDATE SET used = u.used
        RETURNING ${STORED} AS stored`,
      values: [name],
    });
    requireStorage(limits, row?.stored);
    if ((await count()) >= limits[name]) throw new QuotaExceeded(name, limits[name]);
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
