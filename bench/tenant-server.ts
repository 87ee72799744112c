import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '@waxell/infra';
import pg from 'pg';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import type {
  MigrationClass,
  Provisioning,
  TenantDatabase,
  TenantId,
} from '../src/platform/database/index.ts';

async function built<T>(path: string): Promise<T> {
  return (await import(new URL(`../dist/${path}`, import.meta.url).href)) as T;
}
const database = await built<typeof import('../src/platform/database/index.ts')>(
  'platform/database/index.js',
);
const migrations = await built<typeof import('../src/migrations/index.ts')>('migrations/index.js');

export const CELL = 'eu-test-1-c1';
const SECRET = 'bench '.repeat(8);

export type Pools = import('../src/platform/database/index.ts').PoolSizes;

/** A PostgreSQL of its own, embedded as the application's is, with the application's schema and driver. */
export class TenantServer {
  readonly superuser: pg.Client;
  readonly provisioning: Provisioning;
  readonly #url: string;
  readonly #closing: (() => Promise<unknown>)[];

  private constructor(url: string, superuser: pg.Client, closing: (() => Promise<unknown>)[]) {
    this.#url = url;
    this.superuser = superuser;
    this.#closing = closing;
    this.provisioning = this.#provisioning([]);
  }

  static async start(): Promise<TenantServer> {
    const home = await mkdtemp(join(tmpdir(), 'waxell-'));
    const closing: (() => Promise<unknown>)[] = [() => rm(home, { recursive: true, force: true })];
    try {
      // As root, PostgreSQL runs as another user, who has to pass through to its own folder.
      await chmod(home, 0o711);
      const postgres = await startEmbeddedPostgres({ home: join(home, 'data'), onLog: () => undefined });
      closing.push(() => postgres.stop());
      const { host, port, user, password, database: name } = postgres.connection;
      const url = `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${name}`;
      const superuser = new pg.Client(url);
      superuser.on('error', () => undefined);
      await superuser.connect();
      closing.push(() => superuser.end());
      const server = new TenantServer(url, superuser, closing);
      await server.provisioning.migrate();
      return server;
    } catch (error) {
      for (const end of closing.toReversed()) await end();
      throw error;
    }
  }

  /** As a program whose tenants have this migration more. */
  withMigration(more: MigrationClass): Provisioning {
    return this.#provisioning([more]);
  }

  /** The application's own way to a tenant's rows. */
  async driver(pools: Pools): Promise<{ database: TenantDatabase; close: () => Promise<void> }> {
    const cells = this.#cells(pools);
    await cells.open();
    return { database: new database.TenantDatabase(cells), close: () => cells.close() };
  }

  /** As the owner, with nothing of ours around it. */
  async owner(): Promise<pg.Client> {
    const client = new pg.Client(this.#url);
    await client.connect();
    return client;
  }

  /** Ids of all tenants that there are, spares included, in a stable order. */
  async tenants(): Promise<TenantId[]> {
    const { rows } = await this.superuser.query<{ schema: TenantId }>(
      'SELECT schema FROM migrations.schemas ORDER BY schema',
    );
    return rows.map(({ schema }) => schema);
  }

  /** Builds spares until there are so many tenants; answers milliseconds each. */
  async buildUpTo(count: number, onProgress: (done: number) => void): Promise<number[]> {
    const times: number[] = [];
    for (let target = (await this.tenants()).length + 1; target <= count; target += 1) {
      const begun = performance.now();
      await this.provisioning.buildSpare(CELL);
      times.push(performance.now() - begun);
      if (times.length % 100 === 0) onProgress(target);
    }
    return times;
  }

  async stop(): Promise<void> {
    for (const end of this.#closing.toReversed()) await end();
  }

  #provisioning(more: readonly MigrationClass[]): Provisioning {
    const cells = this.#cells({ tenant: 1, lane: 1, control: 4, audit: 1 });
    const made = new database.Provisioning(cells, SECRET, {
      cell: migrations.CELL_MIGRATIONS,
      tenant: [...migrations.TENANT_MIGRATIONS, ...more],
    });
    this.#closing.push(async () => {
      await made.close();
      await cells.close();
    });
    return made;
  }

  #cells(pools: Pools) {
    const entities: [] = [];
    const cell = new database.Cell(
      { name: CELL, region: 'eu-test-1', capacity: 10_000, ownerUrl: this.#url },
      SECRET,
      pools,
      entities,
      () => undefined,
    );
    return new database.Cells([cell]);
  }
}

/** A migration that adds a column. */
export function adding(name: string, statement: string): MigrationClass {
  class Adds implements MigrationInterface {
    async up(db: QueryRunner): Promise<void> {
      await db.query(statement);
    }
    down(): Promise<void> {
      throw new Error('Migrations go forward only.');
    }
  }
  return Object.defineProperty(Adds, 'name', { value: name });
}
