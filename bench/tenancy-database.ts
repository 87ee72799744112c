import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '@waxell/infra';
import pg from 'pg';
import type { TenantRef } from '../src/platform/database/index.js';

/** The built application's own parts. */
async function built<T>(path: string): Promise<T> {
  return (await import(new URL(`../dist/${path}`, import.meta.url).href)) as T;
}
const { Cell, Cells, Provisioning, TenantDatabase, tenantId } = await built<
  typeof import('../src/platform/database/index.js')
>('platform/database/index.js');
const { TenantTransactions } = await built<typeof import('../src/platform/database/tenant-transactions.js')>(
  'platform/database/tenant-transactions.js',
);
const { CELL_MIGRATIONS, TENANT_MIGRATIONS } =
  await built<typeof import('../src/migrations/index.js')>('migrations/index.js');
export const { ProjectEntity } =
  await built<typeof import('../src/agents/agent.entity.js')>('agents/agent.entity.js');

const SECRET = 'bench '.repeat(8);
const REGION = 'us-east-1';
const ROWS = 20;
/** Several at once: creating one is a round trip after the other. */
const BUILDERS = 4;

export interface Ours {
  readonly database: InstanceType<typeof TenantDatabase>;
  readonly transactions: InstanceType<typeof TenantTransactions>;
  close(): Promise<void>;
}

/** A PostgreSQL of the bench's own with many tenants, each complete, some of them with rows. */
export interface TenancyDatabase {
  /** As the superuser. */
  readonly url: string;
  readonly loginSecret: string;
  /** Tenants with rows: `ROWS` each, of the same ids. */
  readonly hot: readonly TenantRef[];
  /** One schema that holds as many rows as all hot tenants together. */
  readonly single: TenantRef;
  readonly buildSeconds: number;
  /** The application's driver on this database, or on a proxy of it; without names of statements, as behind a pooler. */
  open(url: string, options?: { unnamed: boolean }): Promise<Ours>;
  version(): Promise<string>;
  close(): Promise<void>;
}

export function rowId(at: number): string {
  return `00000000-0000-7000-8000-${String(at).padStart(12, '0')}`;
}

export async function buildTenants(tenants: number, hot: number): Promise<TenancyDatabase> {
  const home = await mkdtemp(join(tmpdir(), 'waxell-bench-'));
  await chmod(home, 0o711);
  const postgres = await startEmbeddedPostgres({ home: join(home, 'data'), onLog: () => undefined });
  const close = async (): Promise<void> => {
    await postgres.stop();
    await rm(home, { recursive: true, force: true });
  };
  try {
    const { host, port, user, password, database } = postgres.connection;
    const url = `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`;
    const begun = performance.now();
    const refs = await provision(url, tenants);
    const buildSeconds = (performance.now() - begun) / 1_000;
    const superuser = new pg.Client(url);
    await superuser.connect();
    for (const { id } of refs.slice(0, hot)) await fill(superuser, id, ROWS);
    const single = refs[hot] as TenantRef;
    await fill(superuser, single.id, hot * ROWS);
    await superuser.query('VACUUM ANALYZE');
    const version = await superuser.query<{ server_version: string }>('SHOW server_version');
    await superuser.end();
    return {
      url,
      loginSecret: SECRET,
      hot: refs.slice(0, hot),
      single,
      buildSeconds,
      open: (at, options) => openOurs(at, options?.unnamed),
      version: () => Promise.resolve(version.rows[0]?.server_version ?? ''),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function cellsAt(url: string, unnamed = false): InstanceType<typeof Cells> {
  const pools = { tenant: 10, lane: 4, control: 1, audit: 1 };
  const onError = (error: Error): void => void process.stderr.write(`${error.message}\n`);
  const config = {
    name: 'us-east-1-c1',
    region: REGION,
    capacity: 10_000,
    ownerUrl: url,
    ...(unnamed && { poolerUrl: url }),
  };
  return new Cells([new Cell(config, SECRET, pools, [ProjectEntity], onError)]);
}

async function openOurs(url: string, unnamed?: boolean): Promise<Ours> {
  const cells = cellsAt(url, unnamed);
  await cells.open();
  return {
    database: new TenantDatabase(cells),
    transactions: new TenantTransactions(cells),
    close: () => cells.close(),
  };
}

async function provision(url: string, count: number): Promise<TenantRef[]> {
  const cells = cellsAt(url);
  const provisioning = new Provisioning(cells, SECRET, { cell: CELL_MIGRATIONS, tenant: TENANT_MIGRATIONS });
  await provisioning.migrate();
  const refs = Array.from({ length: count }, () => ({
    id: tenantId(`t_${randomBytes(8).toString('hex')}`),
    region: REGION,
    cell: 'us-east-1-c1',
  }));
  const waiting = [...refs];
  const builder = async (): Promise<void> => {
    for (let next = waiting.pop(); next; next = waiting.pop()) await provisioning.createTenant(next);
  };
  await Promise.all(Array.from({ length: BUILDERS }, builder));
  await cells.close();
  return refs;
}

/** Rows that carry their tenant's id as their name, so that a read can be held against it. */
async function fill(superuser: pg.Client, tenant: string, rows: number): Promise<void> {
  await superuser.query(
    `INSERT INTO "${tenant}".projects (id, name, description, created_by)
     SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, $1, 'A project of the bench.', 'bench'
     FROM generate_series(0, $2::int - 1) n`,
    [tenant, rows],
  );
}

export const ROWS_PER_TENANT = ROWS;
