import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { newKey } from '../../src/platform/http/credential.js';
import { Application, newHome } from './application.js';
import { COMPILED } from './compiled.js';
import { freePort } from './free-port.js';
import { startTestPostgres } from './test-postgres.js';

export interface CellPlan {
  readonly name: string;
  readonly region: string;
  readonly capacity?: number;
}

/** Processes over several cells, each a database of its own, as an operator configures them. The first cell is home. */
export interface CellInstallation {
  readonly operatorKey: string;
  /** Starts a process, with further variables. */
  start(env?: Readonly<Record<string, string>>): Promise<Application>;
  /** Looks at a cell's database from outside, as its owner. */
  asOwner<T>(cell: string, work: (client: pg.Client) => Promise<T>): Promise<T>;
  /** Lets nobody into a cell's database any more, and cuts who is in it; or lets them in again. */
  reachable(cell: string, may: boolean): Promise<void>;
  dispose(): Promise<void>;
}

const MIGRATE = new URL('../../dist/migrate.js', import.meta.url).pathname;

export async function installCells(plan: readonly CellPlan[]): Promise<CellInstallation> {
  const home = await newHome();
  const postgres = await startTestPostgres(join(home, 'data'));
  const { host, port, user, password } = postgres.connection;
  const urlOf = (database: string): string =>
    `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`;
  const databaseOf = (cell: string): string => `waxell_${cell.replaceAll('-', '_')}`;
  const connected = async <T>(database: string, work: (client: pg.Client) => Promise<T>): Promise<T> => {
    const client = new pg.Client({ connectionString: urlOf(database) });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  };
  await connected('postgres', async (client) => {
    for (const { name } of plan) await client.query(`CREATE DATABASE ${databaseOf(name)}`);
  });
  const operatorKey = newKey('operator');
  const [first, ...further] = plan;
  if (!first) throw new Error('At least one cell is needed.');
  const variables = {
    DATABASE_URL: urlOf(databaseOf(first.name)),
    DATABASE_LOGIN_SECRET: 'of the tests '.repeat(4),
    DATABASE_POOL: '4',
    REGION: first.region,
    CELL: first.name,
    CELLS: JSON.stringify(further.map((cell) => ({ ...cell, databaseUrl: urlOf(databaseOf(cell.name)) }))),
    PUBLIC_URL: 'http://waxell.example',
    WAXELL_OPERATOR_KEY_HASH: createHash('sha256').update(operatorKey).digest('hex'),
    WORKER: 'in-process',
  };
  const shared = join(home, 'shared');
  await promisify(execFile)(process.execPath, [MIGRATE], {
    env: { PATH: process.env['PATH'], WAXELL_HOME: shared, ...COMPILED, ...variables },
  });
  // Where the embedded mode writes it down; here it is the operator who knows it.
  await writeFile(join(shared, 'first-run.json'), JSON.stringify({ operatorKey }));
  const running: Application[] = [];
  return {
    operatorKey,
    start: async (env = {}) => {
      const application = new Application(shared, await freePort(), { ...variables, ...env });
      running.push(application);
      await application.start();
      return application;
    },
    asOwner: (cell, work) => connected(databaseOf(cell), work),
    reachable: (cell, may) =>
      connected('postgres', async (client) => {
        await client.query(`ALTER DATABASE ${databaseOf(cell)} ALLOW_CONNECTIONS ${may}`);
        if (may) return;
        await client.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [
          databaseOf(cell),
        ]);
      }),
    dispose: async () => {
      await Promise.all(running.map((application) => application.stop()));
      await postgres.stop();
      await rm(home, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    },
  };
}
