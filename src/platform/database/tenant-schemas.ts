import pg from 'pg';
import { noteApplied, TENANT_LOCKS } from './ledger.js';
import { forTenant, type CompiledMigration } from './migration.js';
import { sendTogether, type OwnerConnections } from './owner-connections.js';
import type { TenantId } from './tenant-id.js';

/** Makes and drops the roles and schemas of one database's tenants. */
export class TenantSchemas {
  constructor(
    private readonly owner: OwnerConnections,
    private readonly migrations: readonly CompiledMigration[],
  ) {}

  /**
   * Sees to it that a tenant has its role and schema, complete. A spare becomes the tenant's own for good here. Repeating
   * it is harmless, and processes that do it at once make one.
   */
  async create(tenant: TenantId): Promise<void> {
    await this.owner.use(async (client) => {
      const begun = await sendTogether(client, [
        'BEGIN',
        tenantLock(tenant),
        `DELETE FROM migrations.spares WHERE schema = '${tenant}'`,
        `SELECT 1 FROM pg_roles WHERE rolname = '${tenant}'`,
        `SELECT 1 FROM migrations.schemas WHERE schema = '${tenant}'`,
      ]);
      const known = begun.at(-1)?.rowCount === 1;
      // A tenant that moves between databases of one server has its role already.
      const [role, ...rest] = creationOf(tenant, this.migrations);
      const creation = begun.at(-2)?.rowCount === 1 ? rest : [role ?? '', ...rest];
      await sendTogether(client, [...(known ? [] : creation), 'COMMIT']);
    });
  }

  /** Takes a tenant's schema and role away, with everything in it. */
  async drop(tenant: TenantId): Promise<void> {
    await this.owner.use(async (client) => {
      await sendTogether(client, ['BEGIN', tenantLock(tenant)]);
      const known = await client.query('SELECT 1 FROM migrations.schemas WHERE schema = $1', [tenant]);
      const removal = removalOf(tenant, await isKnownElsewhere(client, tenant));
      await sendTogether(client, [...(known.rowCount === 0 ? [] : removal), 'COMMIT']);
    });
  }

  /** Drops a spare that was claimed and did not become a tenant. False where meanwhile it did. */
  async dropClaimedSpare(spare: TenantId): Promise<boolean> {
    return this.owner.use(async (client) => {
      await sendTogether(client, ['BEGIN', tenantLock(spare)]);
      const claimed = await client.query(
        'DELETE FROM migrations.spares WHERE schema = $1 AND claimed_at IS NOT NULL',
        [spare],
      );
      const abandoned = claimed.rowCount === 1;
      await sendTogether(client, [...(abandoned ? removalOf(spare) : []), 'COMMIT']);
      return abandoned;
    });
  }

  async hasRows(tenant: TenantId, table: string): Promise<boolean> {
    return this.owner.use(async (client) => {
      const known = await client.query('SELECT 1 FROM migrations.schemas WHERE schema = $1', [tenant]);
      if (known.rowCount === 0) return false;
      const name = `${pg.escapeIdentifier(tenant)}.${pg.escapeIdentifier(table)}`;
      return (await client.query(`SELECT 1 FROM ${name} LIMIT 1`)).rowCount === 1;
    });
  }
}

export function tenantLock(tenant: TenantId): string {
  return `SELECT pg_advisory_xact_lock(${TENANT_LOCKS}, hashtext('${tenant}'))`;
}

/**
 * The statements that make a tenant. What all of them grant from comes last: the server lets one at a time grant a role
 * until its transaction ends.
 */
export function creationOf(tenant: TenantId, migrations: readonly CompiledMigration[]): string[] {
  const role = pg.escapeIdentifier(tenant);
  return [
    `CREATE ROLE ${role} NOLOGIN NOINHERIT NOCREATEDB NOCREATEROLE`,
    `GRANT ${role} TO waxell_app WITH INHERIT FALSE, SET TRUE`,
    `CREATE SCHEMA ${role}`,
    `GRANT USAGE ON SCHEMA ${role} TO ${role}`,
    `INSERT INTO migrations.schemas (schema) VALUES ('${tenant}')`,
    ...inSchema(tenant, migrations),
    'SET LOCAL search_path = DEFAULT',
    ...(migrations.length > 0 ? noteApplied([{ schema: tenant, migrations }]) : []),
    `GRANT waxell_tenant TO ${role} WITH INHERIT TRUE, SET FALSE`,
  ];
}

/** The statements of migrations for one tenant. Leaves the search path there. */
export function inSchema(schema: string, migrations: readonly CompiledMigration[]): string[] {
  return [
    `SET LOCAL search_path = ${pg.escapeIdentifier(schema)}`,
    ...migrations.flatMap(({ statements }) => forTenant(statements, schema)),
  ];
}

/** Whether another database of this server has something of the role, as while a tenant moves between the two. */
async function isKnownElsewhere(client: pg.ClientBase, role: string): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT 1 FROM pg_shdepend d JOIN pg_database other ON other.oid = d.dbid AND other.datname <> current_database()
     WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = to_regrole($1) LIMIT 1`,
    [role],
  );
  return rowCount !== 0;
}

function removalOf(tenant: TenantId, keepRole = false): string[] {
  const role = pg.escapeIdentifier(tenant);
  return [
    `DROP SCHEMA ${role} CASCADE`,
    `DROP OWNED BY ${role}`,
    ...(keepRole ? [] : [`DROP ROLE ${role}`]),
    `DELETE FROM migrations.ledger WHERE schema = '${tenant}'`,
    `DELETE FROM migrations.schemas WHERE schema = '${tenant}'`,
  ];
}
