import type pg from 'pg';
import {
  behind,
  CELL,
  CELL_LOCK,
  hasBookkeeping,
  makeBookkeeping,
  noteApplied,
  pendingInCell,
  refuseUnlikeTenants,
  type Standing,
} from './ledger.js';
import { prepareRoles } from './login-roles.js';
import { latestOf, type CompiledMigration, type MigrationPlan } from './migration.js';
import { sendTogether, type OwnerConnections } from './owner-connections.js';
import { PLATFORM_TENANT } from './tenant-id.js';
import { TenantMigrations, type BatchOptions, type TenantsReport } from './tenant-migrations.js';

/** What one database lacks. */
export interface PendingMigrations {
  readonly cell: readonly CompiledMigration[];
  readonly tenant: readonly CompiledMigration[];
  /** Schemas that are behind, by the version that they have. */
  readonly behind: readonly Standing[];
}

/**
 * Brings one database to the current schema, as its owner: logins, the shared schemas, then each tenant's. Everything
 * that is done is noted in `migrations` in the same transaction, so it can be stopped and repeated anywhere.
 */
export class Migrator {
  constructor(
    private readonly owner: OwnerConnections,
    private readonly secret: string,
    private readonly plan: MigrationPlan,
  ) {}

  /** What would be applied. Changes nothing. */
  async pending(): Promise<PendingMigrations> {
    const { cell, tenant } = this.plan;
    return this.owner.use(async (client) => {
      await client.query('BEGIN READ ONLY');
      const known = await hasBookkeeping(client);
      const found = known
        ? { cell: await pendingInCell(client, cell), tenant, behind: await behind(client, tenant) }
        : this.plan;
      if (known) await refuseUnlikeTenants(client, tenant);
      await client.query('ROLLBACK');
      return { behind: [], ...found };
    });
  }

  /** Logins, bookkeeping and what tenants share. Answers how many migrations were applied. */
  async migrateCell(): Promise<number> {
    return this.owner.use(async (client) => {
      await client.query('SELECT pg_advisory_lock($1)', [CELL_LOCK]);
      await prepareRoles(client, this.secret);
      await makeBookkeeping(client);
      await refuseUnlikeTenants(client, this.plan.tenant);
      const pending = await pendingInCell(client, this.plan.cell);
      // Where there is nothing yet, nobody waits for a lock.
      const fresh = pending.length === this.plan.cell.length;
      for (const step of fresh ? [pending] : pending.map((one) => [one])) await applyToCell(client, step);
      await client.query('SELECT pg_advisory_unlock($1)', [CELL_LOCK]);
      return pending.length;
    });
  }

  /**
   * Who goes first where nobody is named: the installation's own tenant, which is nobody's customer, and one more that
   * has rows for a migration to fail on.
   */
  async canaries(): Promise<string[]> {
    return this.owner.use(async (client) => {
      const { rows } = await client.query<{ schema: string }>(
        `SELECT s.schema FROM migrations.schemas s LEFT JOIN migrations.spares p USING (schema)
         WHERE s.version < $1 AND p.schema IS NULL ORDER BY s.schema <> $2, s.schema LIMIT 2`,
        [latestOf(this.plan.tenant), PLATFORM_TENANT],
      );
      const [first] = rows;
      return first?.schema === PLATFORM_TENANT
        ? rows.map(({ schema }) => schema)
        : first
          ? [first.schema]
          : [];
    });
  }

  migrateTenants(options: BatchOptions): Promise<TenantsReport> {
    return new TenantMigrations(this.owner, this.plan.tenant, options).all();
  }

  migrateOnly(schemas: readonly string[], options: BatchOptions): Promise<TenantsReport> {
    return new TenantMigrations(this.owner, this.plan.tenant, options).only(schemas);
  }

  /** Whether this program can serve from the database: what tenants share, and the installation's own, is up to date. */
  async cellIsCurrent(): Promise<boolean> {
    return this.owner.use(async (client) => {
      if (!(await hasBookkeeping(client))) return false;
      if ((await pendingInCell(client, this.plan.cell)).length > 0) return false;
      const own = await client.query('SELECT 1 FROM migrations.schemas WHERE schema = $1 AND version < $2', [
        PLATFORM_TENANT,
        latestOf(this.plan.tenant),
      ]);
      return own.rowCount === 0;
    });
  }
}

/** In one transaction, and one message. */
async function applyToCell(client: pg.ClientBase, migrations: readonly CompiledMigration[]): Promise<void> {
  if (migrations.length === 0) return;
  const statements = migrations.flatMap((migration) => migration.statements);
  const ledger = noteApplied([{ schema: CELL, migrations }]);
  await sendTogether(client, ['BEGIN', ...statements, ...ledger, 'COMMIT']);
}
