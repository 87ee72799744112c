import { Injectable } from '@nestjs/common';
import { Cells } from './cells.js';
import { compileMigrations, type MigrationClass } from './migration.js';
import { Migrator, type MigrationReport } from './migrator.js';
import type { TenantRef } from './tenant-id.js';

export interface MigrationClasses {
  readonly cell: readonly MigrationClass[];
  readonly tenant: readonly MigrationClass[];
}

/** The program is newer than the database. */
export class DatabaseNotCurrent extends Error {
  override readonly name = 'DatabaseNotCurrent';
}

/** What is done as the databases' owner: migrations, and the schemas of tenants. */
@Injectable()
export class Provisioning {
  #migrators: Promise<Map<string, Migrator>> | undefined;

  constructor(
    private readonly cells: Cells,
    private readonly loginSecret: string,
    private readonly classes: MigrationClasses,
  ) {}

  /** Brings every cell's database to the current schema; reports by the cell's name. */
  async migrate(): Promise<Map<string, MigrationReport>> {
    const reports = new Map<string, MigrationReport>();
    // One after the other: roles belong to the server, which several databases may share.
    for (const [cell, migrator] of await this.#all()) reports.set(cell, await migrator.migrate());
    return reports;
  }

  /** Refuses to start on databases whose schema is not this program's; `migrate` brings them up to it instead. */
  async requireCurrent(migrate: boolean): Promise<void> {
    if (migrate) {
      const failed = [...(await this.migrate()).values()].flatMap((report) => report.failed);
      if (failed.length > 0) throw new Error(`Migrations failed: ${JSON.stringify(failed)}`);
      return;
    }
    for (const [cell, migrator] of await this.#all()) {
      if (!(await migrator.cellIsCurrent())) {
        throw new DatabaseNotCurrent(
          `The database of ${cell} is not up to date. Run npm run db:migrate, then start again.`,
        );
      }
    }
  }

  async createTenant(tenant: TenantRef): Promise<void> {
    await (await this.#of(tenant)).createTenant(tenant.id);
  }

  async dropTenant(tenant: TenantRef): Promise<void> {
    await (await this.#of(tenant)).dropTenant(tenant.id);
  }

  /** Whether the tenant's first transaction, which creates its owner, was committed. */
  async hasOwner(tenant: TenantRef): Promise<boolean> {
    return (await this.#of(tenant)).hasRows(tenant.id, 'users');
  }

  async #of(tenant: TenantRef): Promise<Migrator> {
    const migrator = (await this.#all()).get(tenant.cell);
    if (!migrator) throw new Error(`No cell of the name ${tenant.cell} is configured.`);
    return migrator;
  }

  #all(): Promise<Map<string, Migrator>> {
    this.#migrators ??= (async () => {
      const cell = await compileMigrations(this.classes.cell);
      const tenant = await compileMigrations(this.classes.tenant);
      return new Map(
        this.cells
          .all()
          .map(({ name, ownerUrl }) => [name, new Migrator(ownerUrl, this.loginSecret, { cell, tenant })]),
      );
    })();
    return this.#migrators;
  }
}
