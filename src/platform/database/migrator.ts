import pg from 'pg';
import { loginPassword, loginRole, LOGINS } from './logins.js';
import { forTenant, type CompiledMigration } from './migration.js';
import { scramVerifier } from './scram.js';
import type { TenantId } from './tenant-id.js';

/** One migrator at a time per database. */
const MIGRATION_LOCK = 7_283_001;
/** One creator at a time per tenant. */
const TENANT_LOCKS = 7_283_005;
const TENANTS_PER_TRANSACTION = 50;
const LOCK_TIMEOUT = '2s';

export interface MigrationPlan {
  readonly cell: readonly CompiledMigration[];
  readonly tenant: readonly CompiledMigration[];
}

export interface MigrationReport {
  readonly applied: number;
  readonly failed: readonly {
    readonly schema: string;
    readonly migration: string;
    readonly reason: string;
  }[];
}

/**
 * Brings one database to the current schema, as its owner: logins, the shared schemas, then each tenant's. Everything
 * that is done is noted in `migrations.ledger` in the same transaction, so it can be stopped and repeated anywhere.
 */
export class Migrator {
  constructor(
    private readonly ownerUrl: string,
    private readonly secret: string,
    private readonly plan: MigrationPlan,
  ) {}

  async migrate(): Promise<MigrationReport> {
    return this.#withOwner(async (client) => {
      await client.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
      await this.#prepare(client);
      let applied = await this.#cell(client);
      const failed: MigrationReport['failed'][number][] = [];
      for (const migration of this.plan.tenant) {
        const behind = await tenantsWithout(client, migration);
        for (let at = 0; at < behind.length; at += TENANTS_PER_TRANSACTION) {
          const batch = behind.slice(at, at + TENANTS_PER_TRANSACTION);
          const outcome = await this.#batch(client, migration, batch);
          applied += outcome.applied;
          failed.push(...outcome.failed);
        }
      }
      return { applied, failed };
    });
  }

  async cellIsCurrent(): Promise<boolean> {
    return this.#withOwner(async (client) => {
      const ledger = await client.query(`SELECT to_regclass('migrations.ledger') IS NOT NULL AS known`);
      if (!(ledger.rows[0] as { known: boolean }).known) return false;
      const done = await client.query<{ version: string }>(
        `SELECT version FROM migrations.ledger WHERE schema = 'cell'`,
      );
      const versions = new Set(done.rows.map((row) => Number(row.version)));
      return this.plan.cell.every((migration) => versions.has(migration.version));
    });
  }

  /** Creates a tenant's role and schema, complete and current. Repeating it is harmless. */
  async createTenant(tenant: TenantId): Promise<void> {
    await this.#withOwner(async (client) => {
      await client.query('BEGIN');
      // Processes that start together all make the installation's own tenant.
      await client.query('SELECT pg_advisory_xact_lock($1, hashtext($2))', [TENANT_LOCKS, tenant]);
      const known = await client.query('SELECT 1 FROM migrations.schemas WHERE schema = $1', [tenant]);
      if (known.rowCount === 0) {
        const role = client.escapeIdentifier(tenant);
        // A tenant that moves between databases of one server has its role already.
        await createRole(client, tenant, 'NOLOGIN NOINHERIT NOCREATEDB NOCREATEROLE');
        await client.query(
          `GRANT ${role} TO waxell_app WITH INHERIT FALSE, SET TRUE;
           GRANT waxell_tenant TO ${role} WITH INHERIT TRUE, SET FALSE;
           CREATE SCHEMA ${role};
           GRANT USAGE ON SCHEMA ${role} TO ${role}`,
        );
        await client.query('INSERT INTO migrations.schemas (schema) VALUES ($1)', [tenant]);
        for (const migration of this.plan.tenant) await applyToTenant(client, migration, tenant);
      }
      await client.query('COMMIT');
    });
  }

  /** Takes a tenant's schema and role away, with everything in it. For organisations that were never finished. */
  async dropTenant(tenant: TenantId): Promise<void> {
    await this.#withOwner(async (client) => {
      const known = await client.query('SELECT 1 FROM migrations.schemas WHERE schema = $1', [tenant]);
      if (known.rowCount === 0) return;
      const role = client.escapeIdentifier(tenant);
      await client.query('BEGIN');
      await client.query(`DROP SCHEMA ${role} CASCADE; DROP OWNED BY ${role}`);
      if (!(await isKnownElsewhere(client, tenant))) await client.query(`DROP ROLE ${role}`);
      await client.query('DELETE FROM migrations.ledger WHERE schema = $1', [tenant]);
      await client.query('DELETE FROM migrations.schemas WHERE schema = $1', [tenant]);
      await client.query('COMMIT');
    });
  }

  async hasRows(tenant: TenantId, table: string): Promise<boolean> {
    return this.#withOwner(async (client) => {
      const known = await client.query('SELECT 1 FROM migrations.schemas WHERE schema = $1', [tenant]);
      if (known.rowCount === 0) return false;
      const name = `${client.escapeIdentifier(tenant)}.${client.escapeIdentifier(table)}`;
      return (await client.query(`SELECT 1 FROM ${name} LIMIT 1`)).rowCount === 1;
    });
  }

  async #withOwner<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = new pg.Client({
      connectionString: this.ownerUrl,
      application_name: 'waxell-owner',
      connectionTimeoutMillis: 5_000,
      lock_timeout: 30_000,
    });
    // Without a listener a lost connection would end the process; the statement at work fails with it and is enough.
    client.on('error', () => undefined);
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  }

  async #prepare(client: pg.Client): Promise<void> {
    await createRole(client, 'waxell_tenant', 'NOLOGIN');
    for (const login of LOGINS) {
      const verifier = scramVerifier(loginPassword(this.secret, login));
      await createRole(client, loginRole(login), 'LOGIN NOINHERIT');
      await client.query(
        `ALTER ROLE ${client.escapeIdentifier(loginRole(login))} PASSWORD ${client.escapeLiteral(verifier)}`,
      );
    }
    await client.query(
      `CREATE SCHEMA IF NOT EXISTS migrations;
       CREATE TABLE IF NOT EXISTS migrations.schemas (schema text PRIMARY KEY);
       CREATE TABLE IF NOT EXISTS migrations.ledger (
         schema text NOT NULL, version bigint NOT NULL, name text NOT NULL, checksum text NOT NULL,
         applied_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (schema, version));`,
    );
  }

  async #cell(client: pg.Client): Promise<number> {
    const done = await client.query<{ version: string; checksum: string }>(
      `SELECT version, checksum FROM migrations.ledger WHERE schema = 'cell'`,
    );
    const checksums = new Map(done.rows.map((row) => [Number(row.version), row.checksum]));
    let applied = 0;
    for (const migration of this.plan.cell) {
      const checksum = checksums.get(migration.version);
      if (checksum !== undefined && checksum !== migration.checksum) {
        throw new Error(
          `Migration ${migration.name} was changed after it had been applied; add a new one instead.`,
        );
      }
      if (checksum !== undefined) continue;
      await client.query('BEGIN');
      for (const statement of migration.statements) await client.query(statement);
      await noteApplied(client, migration, 'cell');
      await client.query('COMMIT');
      applied += 1;
    }
    return applied;
  }

  /** One transaction for many tenants; where it fails it is split, down to the one tenant that is the reason. */
  async #batch(client: pg.Client, migration: CompiledMigration, tenants: string[]): Promise<MigrationReport> {
    try {
      await client.query(`BEGIN; SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'`);
      for (const tenant of tenants) await applyToTenant(client, migration, tenant);
      await client.query('COMMIT');
      return { applied: tenants.length, failed: [] };
    } catch (error) {
      await client.query('ROLLBACK');
      const [only] = tenants;
      if (tenants.length === 1 && only !== undefined) {
        const reason = error instanceof Error ? error.message : String(error);
        return { applied: 0, failed: [{ schema: only, migration: migration.name, reason }] };
      }
      const half = Math.ceil(tenants.length / 2);
      const first = await this.#batch(client, migration, tenants.slice(0, half));
      const second = await this.#batch(client, migration, tenants.slice(half));
      return { applied: first.applied + second.applied, failed: [...first.failed, ...second.failed] };
    }
  }
}

async function applyToTenant(client: pg.Client, migration: CompiledMigration, tenant: string): Promise<void> {
  const path = `SET LOCAL search_path = ${client.escapeIdentifier(tenant)}`;
  await client.query(
    [path, ...forTenant(migration.statements, tenant), 'SET LOCAL search_path = DEFAULT'].join(';\n'),
  );
  await noteApplied(client, migration, tenant);
}

async function noteApplied(client: pg.Client, migration: CompiledMigration, schema: string): Promise<void> {
  await client.query(
    'INSERT INTO migrations.ledger (schema, version, name, checksum) VALUES ($1, $2, $3, $4)',
    [schema, migration.version, migration.name, migration.checksum],
  );
}

async function tenantsWithout(client: pg.Client, migration: CompiledMigration): Promise<string[]> {
  const rows = await client.query<{ schema: string }>(
    `SELECT s.schema FROM migrations.schemas s
     WHERE NOT EXISTS (SELECT 1 FROM migrations.ledger l WHERE l.schema = s.schema AND l.version = $1)
     ORDER BY s.schema`,
    [migration.version],
  );
  return rows.rows.map((row) => row.schema);
}

/** Whether another database of this server has something of the role, as while a tenant moves between the two. */
async function isKnownElsewhere(client: pg.Client, role: string): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT 1 FROM pg_shdepend d JOIN pg_database other ON other.oid = d.dbid AND other.datname <> current_database()
     WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = to_regrole($1) LIMIT 1`,
    [role],
  );
  return rowCount !== 0;
}

/** Roles belong to the whole server, which another database's migrator may be creating at this moment. */
async function createRole(client: pg.Client, role: string, attributes: string): Promise<void> {
  const known = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [role]);
  if (known.rowCount) return;
  try {
    await client.query(`CREATE ROLE ${client.escapeIdentifier(role)} ${attributes}`);
  } catch (error) {
    const code = (error as { code?: string }).code;
    if (code !== '42710' && code !== '23505') throw error;
  }
}
