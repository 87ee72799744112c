import { randomBytes } from 'node:crypto';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { Cell } from './cells.js';
import { Cells } from './cells.js';
import { compileMigrations, latestOf, type MigrationClass, type MigrationPlan } from './migration.js';
import { TENANTS_PER_BATCH, WORKERS } from './migrate-defaults.js';
import { Migrator, type PendingMigrations } from './migrator.js';
import { OwnerConnections } from './owner-connections.js';
import { Spares, type Refill } from './spares.js';
import { tenantId, type TenantId, type TenantRef } from './tenant-id.js';
import type { FailedTenant, Progress, TenantsReport } from './tenant-migrations.js';
import { TenantSchemas } from './tenant-schemas.js';

export interface MigrationClasses {
  readonly cell: readonly MigrationClass[];
  readonly tenant: readonly MigrationClass[];
}

export interface MigrateOptions {
  /** Tenants that go first. Where none is named, each database chooses. */
  readonly canaries?: readonly TenantRef[];
  /** The only cell whose database is migrated; all, where none is named. */
  readonly cell?: string;
  /** Connections at the same time, per database. */
  readonly workers?: number;
  /** Tenants in one transaction, at most. */
  readonly batch?: number;
  readonly onProgress?: (cell: string, progress: Progress) => void;
}

/** What was done to one database. */
export interface MigrationReport {
  /** Migrations of what tenants share. */
  readonly cell: number;
  /** Tenants and spares that are now at the newest version and were not before. */
  readonly migrated: number;
  readonly failed: readonly FailedTenant[];
  /** A canary failed, here or in another database: nobody else was touched. */
  readonly stopped: boolean;
}

/** The program is newer than the database. */
export class DatabaseNotCurrent extends Error {
  override readonly name = 'DatabaseNotCurrent';
}

/** Enough for the workers, and for organisations that are created where there is no spare. */
const OWNER_CONNECTIONS = 6;

/** What is done as one database's owner. */
class CellProvisioning {
  readonly migrator: Migrator;
  readonly schemas: TenantSchemas;
  readonly spares: Spares;

  constructor(
    readonly cell: Cell,
    readonly owner: OwnerConnections,
    secret: string,
    plan: MigrationPlan,
  ) {
    this.migrator = new Migrator(owner, secret, plan);
    this.schemas = new TenantSchemas(owner, plan.tenant);
    this.spares = new Spares(owner, cell.control, plan.tenant);
  }
}

/** What is done as the databases' owner: migrations, the schemas of tenants, and the pool of spare ones. */
@Injectable()
export class Provisioning implements OnApplicationShutdown {
  #opened: Promise<{ plan: MigrationPlan; cells: Map<string, CellProvisioning> }> | undefined;

  constructor(
    private readonly cells: Cells,
    private readonly loginSecret: string,
    private readonly classes: MigrationClasses,
    private readonly ownerConnections = OWNER_CONNECTIONS,
  ) {}

  /**
   * Brings every cell's database to the current schema: what tenants share in all of them, then a few tenants, and the
   * others once those are well. Databases follow each other: roles belong to the server, which several may share.
   */
  async migrate(options: MigrateOptions = {}): Promise<Map<string, MigrationReport>> {
    const { workers = WORKERS, batch = TENANTS_PER_BATCH, onProgress } = options;
    const cells = [...(await this.#open()).cells].filter(([name]) => name === (options.cell ?? name));
    const reports = new Map<string, MigrationReport>();
    const note = (name: string, { migrated, failed }: TenantsReport, stopped: boolean): void => {
      const { cell = 0, migrated: before = 0 } = reports.get(name) ?? {};
      reports.set(name, { cell, migrated: before + migrated, failed, stopped });
    };
    const forCell = (name: string) => ({
      workers,
      batch,
      onProgress: (progress: Progress) => onProgress?.(name, progress),
    });
    for (const [name, { migrator }] of cells) {
      const cell = await migrator.migrateCell();
      reports.set(name, { cell, migrated: 0, failed: [], stopped: false });
    }
    for (const [name, { migrator }] of cells) {
      const named = options.canaries?.filter((canary) => canary.cell === name).map(({ id }) => id);
      const canaries = named ?? (await migrator.canaries());
      if (canaries.length === 0) continue;
      const report = await migrator.migrateOnly(canaries, forCell(name));
      note(name, report, false);
      if (report.failed.length === 0) continue;
      for (const [other, { failed }] of reports) note(other, { migrated: 0, failed }, true);
      return reports;
    }
    for (const [name, { migrator }] of cells) note(name, await migrator.migrateTenants(forCell(name)), false);
    return reports;
  }

  /** What `migrate` would do, by cell. Changes nothing. */
  async pending(): Promise<Map<string, PendingMigrations>> {
    const { cells } = await this.#open();
    const found = new Map<string, PendingMigrations>();
    for (const [cell, { migrator }] of cells) found.set(cell, await migrator.pending());
    return found;
  }

  async plan(): Promise<MigrationPlan> {
    return (await this.#open()).plan;
  }

  /**
   * Refuses to start on a database that is not this program's; `migrate` brings it up to it instead. A tenant that is
   * behind stops nobody: it is not served until it is migrated. Answers those that could not be.
   */
  async requireCurrent(migrate: boolean): Promise<readonly FailedTenant[]> {
    if (migrate) return [...(await this.migrate()).values()].flatMap((report) => report.failed);
    for (const [cell, { migrator }] of (await this.#open()).cells) {
      if (!(await migrator.cellIsCurrent())) {
        throw new DatabaseNotCurrent(
          `The database of ${cell} is not up to date. Run npm run db:migrate, then start again.`,
        );
      }
    }
    return [];
  }

  /** Whether a tenant's schema has all that this program's migrations make. A newer one has. */
  async isCurrent(tenant: TenantRef): Promise<boolean> {
    const { plan } = await this.#open();
    const { rows } = await (
      await this.#of(tenant)
    ).cell.control.query<{ current: boolean }>({
      name: 'schema_is_current',
      text: 'SELECT version >= $2 AS current FROM migrations.schemas WHERE schema = $1',
      values: [tenant.id, latestOf(plan.tenant)],
    });
    // One that is not there yet is being created, at this version.
    return rows[0]?.current ?? true;
  }

  /** An id for a new tenant: that of a spare, if there is one. `createTenant` makes it the tenant's own. */
  async claimId(cell: string): Promise<TenantId> {
    const spare = await (await this.#in(cell)).spares.claim();
    return spare ?? tenantId(`t_${randomBytes(8).toString('hex')}`);
  }

  /** Gives back an id that was claimed and, for certain, not used. */
  async giveBackId({ id, cell }: TenantRef): Promise<void> {
    await (await this.#in(cell)).spares.giveBack(id);
  }

  /** Sees to it that a tenant has its role and schema. Repeating it is harmless. */
  async createTenant(tenant: TenantRef): Promise<void> {
    await (await this.#of(tenant)).schemas.create(tenant.id);
  }

  /** Takes a tenant's schema and role away, with everything in it. For organisations that were never finished. */
  async dropTenant(tenant: TenantRef): Promise<void> {
    await (await this.#of(tenant)).schemas.drop(tenant.id);
  }

  /** Whether the tenant's first transaction, which creates its owner, was committed. */
  async hasOwner(tenant: TenantRef): Promise<boolean> {
    return (await this.#of(tenant)).schemas.hasRows(tenant.id, 'users');
  }

  /** Builds what is missing of a cell's spares, unless another process is at it. */
  async refillSpares(cell: string, refill: Refill): Promise<number> {
    return (await this.#in(cell)).spares.refill(refill);
  }

  /** Builds one spare in a cell, whatever there are. */
  async buildSpare(cell: string): Promise<TenantId> {
    const { owner, spares } = await this.#in(cell);
    return owner.use((client) => spares.build(client));
  }

  /** Drops spares that were claimed that long ago by a process that did not live to make tenants of them. */
  async dropAbandonedSpares(cell: string, seconds: number): Promise<number> {
    const { spares, schemas } = await this.#in(cell);
    let dropped = 0;
    for (const spare of await spares.abandoned(seconds))
      if (await schemas.dropClaimedSpare(spare)) dropped += 1;
    return dropped;
  }

  async onApplicationShutdown(): Promise<void> {
    await this.close();
  }

  async close(): Promise<void> {
    const opened = await this.#opened?.catch(() => undefined);
    this.#opened = undefined;
    await Promise.all([...(opened?.cells.values() ?? [])].map(({ owner }) => owner.close()));
  }

  #of(tenant: TenantRef): Promise<CellProvisioning> {
    return this.#in(tenant.cell);
  }

  async #in(cell: string): Promise<CellProvisioning> {
    const found = (await this.#open()).cells.get(cell);
    if (!found) throw new Error(`No cell of the name ${cell} is configured.`);
    return found;
  }

  #open(): Promise<{ plan: MigrationPlan; cells: Map<string, CellProvisioning> }> {
    this.#opened ??= (async () => {
      const plan = {
        cell: await compileMigrations(this.classes.cell),
        tenant: await compileMigrations(this.classes.tenant),
      };
      const cells = this.cells.all().map((cell): [string, CellProvisioning] => {
        const owner = new OwnerConnections(cell.ownerUrl, this.ownerConnections);
        return [cell.name, new CellProvisioning(cell, owner, this.loginSecret, plan)];
      });
      return { plan, cells: new Map(cells) };
    })();
    return this.#opened;
  }
}
