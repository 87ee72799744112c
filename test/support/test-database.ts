import { randomBytes } from 'node:crypto';
import pg from 'pg';
import type { EntityTarget, ObjectLiteral } from 'typeorm';
import { inject } from 'vitest';
import { CELL_MIGRATIONS, TENANT_MIGRATIONS } from '../../src/migrations/index.js';
import {
  Cell,
  Cells,
  connectionOf,
  Provisioning,
  TenantDatabase,
  tenantId,
  type MigrationClass,
  type TenantId,
  type TenantRef,
} from '../../src/platform/database/index.js';
import { TenantTransactions } from '../../src/platform/database/tenant-transactions.js';
import { startPgBouncer } from './pgbouncer.js';

/** Every test database has the same logins, as databases of one server do. */
export const LOGIN_SECRET = 'test '.repeat(8);
const REGION = 'eu-test-1';
const CELL = 'eu-test-1-c1';

export interface TestDatabase {
  readonly url: string;
  readonly poolerUrl?: string;
  readonly cells: Cells;
  readonly database: TenantDatabase;
  readonly transactions: TenantTransactions;
  readonly provisioning: Provisioning;
  /** As a newer program, whose tenants have these migrations more. */
  readonly withMigrations: (...more: readonly MigrationClass[]) => Provisioning;
  /** As the superuser: looks from outside, and tampers. */
  readonly superuser: pg.Pool;
  readonly newTenant: (id?: TenantId) => Promise<TenantRef>;
  readonly close: () => Promise<void>;
}

export interface TestDatabaseOptions {
  readonly entities?: readonly EntityTarget<ObjectLiteral>[];
  readonly pool?: number;
  /** PgBouncer in between, with so many server connections for each login. */
  readonly pooledOver?: number;
  /** As an older program has left it. */
  readonly cellMigrations?: readonly MigrationClass[];
  /** Instead of the logins' own limit, such as '1s'. */
  readonly statementTimeout?: string;
}

/** A migrated database of its own, with the pools that the application has. */
export async function openTestDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const url = await createDatabase();
  const pooler =
    options.pooledOver === undefined
      ? undefined
      : await startPgBouncer(url, LOGIN_SECRET, options.pooledOver);
  const cell = new Cell(
    { name: CELL, region: REGION, capacity: 10_000, ownerUrl: url, ...(pooler && { poolerUrl: pooler.url }) },
    LOGIN_SECRET,
    { tenant: options.pool ?? 4, lane: 2, control: 2, audit: 2 },
    options.entities ?? [],
    () => undefined,
  );
  const cells = new Cells([cell]);
  const opened: Provisioning[] = [];
  const withMigrations = (...more: readonly MigrationClass[]): Provisioning => {
    const tenant = [...TENANT_MIGRATIONS, ...more];
    const made = new Provisioning(cells, LOGIN_SECRET, {
      cell: options.cellMigrations ?? CELL_MIGRATIONS,
      tenant,
    });
    opened.push(made);
    return made;
  };
  const provisioning = withMigrations();
  await provisioning.migrate();
  const superuser = new pg.Pool({ connectionString: url, max: 4 });
  superuser.on('error', () => undefined);
  if (options.statementTimeout !== undefined) {
    const database = new URL(url).pathname.slice(1);
    await superuser.query(
      `ALTER ROLE waxell_app IN DATABASE ${database} SET statement_timeout = '${options.statementTimeout}'`,
    );
  }
  await cells.open();
  return {
    url,
    ...(pooler && { poolerUrl: pooler.url }),
    cells,
    database: new TenantDatabase(cells),
    transactions: new TenantTransactions(cells),
    provisioning,
    withMigrations,
    superuser,
    newTenant: async (id = newTenantId()) => {
      const tenant = cell.tenant(id);
      await provisioning.createTenant(tenant);
      return tenant;
    },
    close: async () => {
      await Promise.all(opened.map((one) => one.close()));
      await cells.close();
      await superuser.end();
      await pooler?.stop();
    },
  };
}

export function newTenantId(): TenantId {
  return tenantId(`t_${randomBytes(8).toString('hex')}`);
}

/** A connection as one of the system's logins, with nothing of ours around it. */
export async function connectAs(url: string, login: 'app' | 'control' | 'audit'): Promise<pg.Client> {
  const client = new pg.Client(connectionOf(url, LOGIN_SECRET, login));
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** A new database with nothing in it. */
export async function createDatabase(): Promise<string> {
  const url = new URL(inject('postgresUrl'));
  const name = `test_${randomBytes(6).toString('hex')}`;
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  await client.query(`CREATE DATABASE ${name}`);
  await client.end();
  url.pathname = `/${name}`;
  return url.href;
}
