import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '@waxell/infra';
import pg from 'pg';
import type { Cells } from '../src/platform/database/index.ts';

/** A part of the built application. */
export async function built<T>(path: string): Promise<T> {
  return (await import(new URL(`../dist/${path}`, import.meta.url).href)) as T;
}

const {
  Cell,
  Cells: CellsOf,
  Provisioning,
} = await built<typeof import('../src/platform/database/index.js')>('platform/database/index.js');
const { CELL_MIGRATIONS, TENANT_MIGRATIONS } =
  await built<typeof import('../src/migrations/index.js')>('migrations/index.js');

const SECRET = 'bench '.repeat(8);
const REGION = 'us-east-1';

/** A migrated database on a PostgreSQL of the bench's own, with one cell. */
export interface LogDatabase {
  readonly cells: Cells;
  readonly url: string;
  /** As the superuser. */
  readonly plain: pg.Pool;
  version(): Promise<string>;
  /** One more database on the same server. */
  another(name: string): Promise<Omit<LogDatabase, 'another' | 'version'>>;
  close(): Promise<void>;
}

export async function startLogDatabase(connections: number): Promise<LogDatabase> {
  const home = await mkdtemp(join(tmpdir(), 'waxell-bench-'));
  await chmod(home, 0o711);
  const postgres = await startEmbeddedPostgres({ home: join(home, 'data'), onLog: () => undefined });
  const { host, port, user, password, database } = postgres.connection;
  const urlOf = (name: string): string =>
    `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${name}`;
  const first = await opened(urlOf(database), connections);
  const others: { close(): Promise<void> }[] = [];
  return {
    ...first,
    version: async () => {
      const { rows } = await first.plain.query<{ server_version: string }>('SHOW server_version');
      return rows[0]?.server_version ?? '';
    },
    another: async (name) => {
      await first.plain.query(`CREATE DATABASE ${name}`);
      const other = await opened(urlOf(name), connections);
      others.push(other);
      return other;
    },
    close: async () => {
      for (const one of [...others, first]) await one.close();
      await postgres.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}

async function opened(url: string, connections: number) {
  const pools = { tenant: 1, lane: 1, control: 1, audit: 3 };
  const onError = (error: Error): void => void process.stderr.write(`${error.message}\n`);
  const config = { name: `${REGION}-c1`, region: REGION, capacity: 10_000, ownerUrl: url };
  const cells = new CellsOf([new Cell(config, SECRET, pools, [], onError)]);
  await new Provisioning(cells, SECRET, { cell: CELL_MIGRATIONS, tenant: TENANT_MIGRATIONS }).migrate();
  await cells.open();
  const plain = new pg.Pool({ connectionString: url, max: connections });
  plain.on('error', onError);
  return {
    cells,
    url,
    plain,
    close: async () => {
      await plain.end();
      await cells.close();
    },
  };
}
