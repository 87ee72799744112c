import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { RepeatedWork } from '../platform/background/index.js';
import {
  Cells,
  expireRows,
  TenantDatabase,
  tenantId,
  type Cell,
  type TenantRef,
} from '../platform/database/index.js';
import { TenantObjects } from '../platform/objects/index.js';
import { Log } from '../platform/observability/log.js';
import { UnitOfWork } from '../requests/index.js';

/** How old a measurement gets; by so much a quota of storage can be exceeded. */
export const MEASURED_EVERY_SECONDS = 600;
const LOOK_MS = 60_000;
const PAGE = 100;

/**
 * Visits each tenant now and then: measures what it stores, its tables with their indexes, and its objects (its log is not
 * counted), and takes away rows whose time is over.
 */
@Injectable()
export class MeasureStorage implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #measuring = new RepeatedWork(
    () => this.#all(),
    LOOK_MS,
    // Each cell's failure is told of where it happens.
    () => undefined,
  );

  constructor(
    private readonly cells: Cells,
    private readonly database: TenantDatabase,
    private readonly objects: TenantObjects,
    private readonly work: UnitOfWork,
    private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.#measuring.start();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.#measuring.stop();
  }

  async #all(): Promise<void> {
    for (const cell of this.cells.all()) {
      try {
        if (await this.#due(cell)) await this.cell(cell);
      } catch (error) {
        this.log.error('storage could not be measured; it is repeated', error, { cell: cell.name });
      }
    }
  }

  /** One process measures, however many look. */
  async #due({ control }: Cell): Promise<boolean> {
    const { rowCount } = await control.query(
      `INSERT INTO work.chores AS c (chore, due_at) VALUES ('measure-storage', now() + make_interval(secs => $1))
       ON CONFLICT (chore) DO UPDATE SET due_at = EXCLUDED.due_at WHERE c.due_at <= now()`,
      [MEASURED_EVERY_SECONDS],
    );
    return rowCount === 1;
  }

  /** Measures every tenant of a cell. */
  async cell(cell: Cell): Promise<void> {
    let after = '';
    for (let found = PAGE; found === PAGE && !this.#measuring.stopping;) {
      const { rows } = await cell.control.query<{ tenant: string; bytes: string }>(
        `SELECT n.nspname AS tenant, (SELECT COALESCE(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c
             WHERE c.relnamespace = n.oid AND c.relkind = 'r')::text AS bytes
           FROM pg_namespace n WHERE n.nspname ~ '^t_[0-9a-f]{16}$' AND n.nspname > $1 ORDER BY 1 LIMIT ${PAGE}`,
        [after],
      );
      for (const { tenant, bytes } of rows) {
        await this.#measure(cell.tenant(tenantId(tenant)), Number(bytes)).catch((error: unknown) => {
          // Purged or moved at this moment, or behind with its schema: its neighbours are measured all the same.
          this.log.debug('a tenant could not be measured', { tenant, reason: String(error) });
        });
      }
      found = rows.length;
      after = rows.at(-1)?.tenant ?? after;
    }
  }

  async #measure(tenant: TenantRef, rows: number): Promise<void> {
    const bytes = rows + (await this.objects.size(tenant));
    await this.database.within(tenant, () =>
      this.work.bookkeeping(
        'what is measured, and whose time is over, is nothing that anybody did',
        async () => {
          await this.database.query({
            text: `INSERT INTO quota_usage (quota, used, measured_at) VALUES ('storageBytes', $1, now())
            ON CONFLICT (quota) DO UPDATE SET used = EXCLUDED.used, measured_at = EXCLUDED.measured_at`,
            values: [bytes],
          });
          for (const statement of expireRows()) await this.database.query(statement);
        },
      ),
    );
  }
}
