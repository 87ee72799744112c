import { Injectable } from '@nestjs/common';
import { Agents } from '../agents/index.js';
import { Users } from '../auth/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { nextDay, quotasOf, type Tenant } from '../tenancy/index.js';
import { statusAfter } from './lifecycle.js';
import type { UsageReportDto } from './lifecycle.dto.js';

/** What an organisation may have, and has: numbers, and nothing of what they count. */
@Injectable()
export class ReadUsage {
  constructor(
    private readonly database: TenantDatabase,
    private readonly users: Users,
    private readonly agents: Agents,
  ) {}

  async execute(tenant: Tenant): Promise<UsageReportDto> {
    statusAfter('inspect', tenant);
    const limits = quotasOf(tenant);
    return this.database.within(tenant, async () => {
      const [runs, storage] = await Promise.all(
        ['runsPerDay', 'storageBytes'].map((name) => this.#row(name)),
      );
      return {
        users: { limit: limits.users, used: await this.users.countActive() },
        agents: { limit: limits.agents, used: await this.agents.count() },
        runsPerDay: {
          limit: limits.runsPerDay,
          used: runs?.today ? Number(runs.used) : 0,
          resetsAt: nextDay().toISOString(),
        },
        storageBytes: {
          limit: limits.storageBytes,
          used: Number(storage?.used ?? 0),
          ...(storage?.measured_at && { measuredAt: storage.measured_at.toISOString() }),
        },
      };
    });
  }

  async #row(
    name: string,
  ): Promise<{ used: string; today: boolean | null; measured_at: Date | null } | undefined> {
    const [row] = await this.database.query<{
      used: string;
      today: boolean | null;
      measured_at: Date | null;
    }>({
      text: `SELECT used, day >= (now() AT TIME ZONE 'UTC')::date AS today, measured_at FROM quota_usage WHERE quota = $1`,
      values: [name],
    });
    return row;
  }
}
