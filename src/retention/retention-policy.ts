import { Injectable } from '@nestjs/common';
import { RetentionConfig } from '../platform/config/index.js';
import { Cells, type Cell, type TenantId } from '../platform/database/index.js';

/** For how long a log is kept, in days since its events were appended. */
export interface Retention {
  /** In the database at least. */
  readonly hotDays: number;
  /** In all; after it events are deleted. */
  readonly coldDays: number;
  /** Nothing is deleted, however old it is. */
  readonly held: boolean;
}

interface Row {
  tenant: string;
  hot_days: number | null;
  cold_days: number | null;
  held: boolean;
}

const OF_TENANT =
  'SELECT tenant, hot_days, cold_days, held_since IS NOT NULL AS held FROM control.log_retention WHERE tenant = $1';

/** What organisations have set for their logs, and what holds where they have not. */
@Injectable()
export class RetentionPolicy {
  constructor(
    private readonly cells: Cells,
    private readonly config: RetentionConfig,
  ) {}

  get usual(): Retention {
    const { hotDays, coldDays } = this.config;
    return { hotDays, coldDays, held: false };
  }

  /** By tenant of a cell; those that are not in it have what is usual. */
  async ofCell({ name }: Cell): Promise<ReadonlyMap<string, Retention>> {
    const { rows } = await this.cells.home.control.query<Row>(
      `SELECT r.tenant, r.hot_days, r.cold_days, r.held_since IS NOT NULL AS held
       FROM control.log_retention r JOIN control.tenants t ON t.id = r.tenant WHERE t.cell = $1`,
      [name],
    );
    return new Map(rows.map((row) => [row.tenant, this.#retention(row)]));
  }

  async of(tenant: TenantId): Promise<Retention> {
    const { rows } = await this.cells.home.control.query<Row>(OF_TENANT, [tenant]);
    return rows[0] ? this.#retention(rows[0]) : this.usual;
  }

  /**
   * Does something that cannot be undone by what holds at this moment, and keeps it so meanwhile: whoever sets a hold, or a
   * longer time, locks the organisation's entry, and waits.
   */
  async settled<T>(tenant: TenantId, work: (retention: Retention) => Promise<T>): Promise<T> {
    const client = await this.cells.home.control.connect();
    let broken: Error | undefined;
    try {
      await client.query('BEGIN');
      await client.query('SELECT 1 FROM control.tenants WHERE id = $1 FOR SHARE', [tenant]);
      const { rows } = await client.query<Row>(OF_TENANT, [tenant]);
      return await work(rows[0] ? this.#retention(rows[0]) : this.usual);
    } finally {
      await client.query('ROLLBACK').catch((failure: Error) => (broken = failure));
      client.release(broken);
    }
  }

  #retention({ hot_days, cold_days, held }: Row): Retention {
    const { hotDays, coldDays } = this.config;
    // What was set before the installation's own days were raised is no less than those.
    return {
      hotDays: Math.max(hot_days ?? 0, hotDays),
      coldDays: Math.max(cold_days ?? 0, coldDays),
      held,
    };
  }
}
