/**
 * What keeping tenants apart costs: reads and transactions under a tenant's role beside the same ones without tenants,
 * from one process on one database, by turns. 200 tenants of 1,000 take part, at random; 32 callers; pools of 10.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import pg from 'pg';
import { DataSource } from 'typeorm';
import type { TenantRef } from '../src/platform/database/index.js';
import { inProcess } from './in-process-load.ts';
import {
  compare,
  median,
  table,
  type BenchOptions,
  type BenchResult,
  type Comparison,
  type Side,
} from './measure.ts';
import {
  buildTenants,
  ProjectEntity,
  rowId,
  ROWS_PER_TENANT,
  type Ours,
  type TenancyDatabase,
} from './tenancy-database.ts';

const TENANTS = 1_000;
const HOT = 200;
const POOL = 10;
const CALLERS = 32;
/** Until each connection knows its tenants; then many short rounds, as the machine's mood changes within seconds. */
const ROUNDS = { warmUp: 4, rounds: 7, seconds: 1 };

const COLUMNS = 'id, name, description, version, created_by, created_at, updated_at';
const BY_ID = `SELECT ${COLUMNS} FROM projects WHERE id = $1`;

export default async function tenancy({ say }: BenchOptions): Promise<BenchResult> {
  say(`Building ${TENANTS} tenants ...`);
  const built = await buildTenants(TENANTS, HOT);
  try {
    say(`${TENANTS} tenants in ${built.buildSeconds.toFixed(0)} s, ${HOT} of them hot`);
    const comparisons = await compareAll(built, built.url);
    const proxy = fork(new URL('./delay-proxy.ts', import.meta.url), [new URL(built.url).port]);
    try {
      const [port] = (await once(proxy, 'message')) as [number];
      const delayedUrl = new URL(built.url);
      delayedUrl.port = String(port);
      const [direct, roundTrip] = [await medianRoundTrip(built.url), await medianRoundTrip(delayedUrl.href)];
      const delayed = await compareAll(built, delayedUrl.href);
      for (const [name, comparison] of Object.entries(delayed)) comparisons[`${name}_delayed`] = comparison;
      for (const line of table(comparisons)) say(line);
      say(
        `\n_delayed: through a proxy of ours; an empty statement takes ${roundTrip.toFixed(2)} ms instead of ${direct.toFixed(2)}.`,
      );
      const entries = Object.entries(comparisons);
      return {
        ratios: Object.fromEntries(entries.map(([name, { ratio }]) => [name, ratio])),
        absolute: {
          tenants: { built: TENANTS, hot: HOT, buildSeconds: Number(built.buildSeconds.toFixed(1)) },
          emptyStatementMs: { direct: Number(direct.toFixed(2)), delayed: Number(roundTrip.toFixed(2)) },
          ...Object.fromEntries(entries.map(([name, { baseline, ours }]) => [name, { baseline, ours }])),
        },
        postgres: await built.version(),
      };
    } finally {
      proxy.kill();
    }
  } finally {
    await built.close();
  }
}

async function compareAll(built: TenancyDatabase, url: string): Promise<Record<string, Comparison>> {
  const bare = new pg.Pool({ connectionString: url, max: POOL });
  const ours = await built.open(url);
  const unnamed = await built.open(url, { unnamed: true });
  const plain = await plainTypeOrm(url, built.single);
  try {
    const sides: Record<string, { baseline: Side; ours: Side }> = {
      isolated_read: { baseline: bareRead(bare, built), ours: ourRead(ours, built) },
      isolated_read_cold_statement: { baseline: bareRead(bare, built), ours: ourRead(unnamed, built) },
      typeorm_read: { baseline: plainFind(plain, built), ours: ourFind(ours, built) },
      typeorm_tx: { baseline: plainTransaction(plain, built), ours: ourTransaction(ours, built) },
      vs_conventional_tx: { baseline: conventional(bare, built), ours: ourRead(ours, built) },
    };
    const comparisons: Record<string, Comparison> = {};
    for (const [name, pair] of Object.entries(sides)) comparisons[name] = await compare(pair, ROUNDS);
    return comparisons;
  } finally {
    await Promise.all([bare.end(), ours.close(), unnamed.close(), plain.destroy()]);
  }
}

/** Of an empty statement, in milliseconds: the network's, and the little that the server adds. */
async function medianRoundTrip(url: string): Promise<number> {
  const client = new pg.Client(url);
  await client.connect();
  const times: number[] = [];
  for (let at = 0; at < 200; at += 1) {
    const begun = performance.now();
    await client.query('');
    times.push(performance.now() - begun);
  }
  await client.end();
  return median(times);
}

function drawn(built: TenancyDatabase): { tenant: TenantRef; id: string } {
  const tenant = built.hot[Math.floor(Math.random() * HOT)] as TenantRef;
  return { tenant, id: rowId(Math.floor(Math.random() * ROWS_PER_TENANT)) };
}

/** A row of the one schema that the ORM without tenants knows, which has as many rows as all hot tenants together. */
function drawnId(): string {
  return rowId(Math.floor(Math.random() * HOT * ROWS_PER_TENANT));
}

/** A read that found another row would make the comparison a lie. */
function expectRow(row: { id: string; name: string } | null | undefined, id: string, tenant: string): void {
  if (row?.id !== id || row.name !== tenant)
    throw new Error(`Asked for ${id} of ${tenant}: ${JSON.stringify(row)}`);
}

/** pg without a name for the statement, as the superuser, with the schema in the text: what most applications do. */
function bareRead(pool: pg.Pool, built: TenancyDatabase): Side {
  const texts = new Map(
    built.hot.map(({ id }) => [id, `SELECT ${COLUMNS} FROM "${id}".projects WHERE id = $1`]),
  );
  return inProcess(async () => {
    const { tenant, id } = drawn(built);
    const { rows } = await pool.query<{ id: string; name: string }>(texts.get(tenant.id) ?? '', [id]);
    expectRow(rows[0], id, tenant.id);
  }, CALLERS);
}

/** As the application reads on its hot path. */
function ourRead({ database }: Ours, built: TenancyDatabase): Side {
  const statement = { name: 'project', text: BY_ID };
  return inProcess(async () => {
    const { tenant, id } = drawn(built);
    const rows = await database.within(tenant, () =>
      database.query<{ id: string; name: string }>({ ...statement, values: [id] }),
    );
    expectRow(rows[0], id, tenant.id);
  }, CALLERS);
}

/** The usual way to switch tenants: five round trips for each read. */
function conventional(pool: pg.Pool, built: TenancyDatabase): Side {
  return inProcess(async () => {
    const { tenant, id } = drawn(built);
    const client = await pool.connect();
    await client.query('BEGIN');
    await client.query(`SET LOCAL ROLE "${tenant.id}"`);
    await client.query(`SET LOCAL search_path = "${tenant.id}"`);
    const { rows } = await client.query<{ id: string; name: string }>(BY_ID, [id]);
    await client.query('COMMIT');
    client.release();
    expectRow(rows[0], id, tenant.id);
  }, CALLERS);
}

function plainTypeOrm(url: string, { id }: TenantRef): Promise<DataSource> {
  return new DataSource({
    type: 'postgres',
    url,
    poolSize: POOL,
    installExtensions: false,
    entities: [ProjectEntity],
    extra: { options: `-c search_path="${id}"` },
  }).initialize();
}

function plainFind(plain: DataSource, { single }: TenancyDatabase): Side {
  const projects = plain.getRepository(ProjectEntity);
  return inProcess(async () => {
    const id = drawnId();
    expectRow(await projects.findOneBy({ id }), id, single.id);
  }, CALLERS);
}

function ourFind({ database }: Ours, built: TenancyDatabase): Side {
  return inProcess(async () => {
    const { tenant, id } = drawn(built);
    const row = await database.within(tenant, () => database.repository(ProjectEntity).findOneBy({ id }));
    expectRow(row, id, tenant.id);
  }, CALLERS);
}

function plainTransaction(plain: DataSource, { single }: TenancyDatabase): Side {
  return inProcess(async (turn) => {
    const id = drawnId();
    await plain.transaction(async (manager) => {
      expectRow(await manager.findOneBy(ProjectEntity, { id }), id, single.id);
      await manager.update(ProjectEntity, { id }, { description: `Turn ${turn}.` });
    });
  }, CALLERS);
}

function ourTransaction({ database, transactions }: Ours, built: TenancyDatabase): Side {
  return inProcess(async (turn) => {
    const { tenant, id } = drawn(built);
    await database.within(tenant, () =>
      transactions.run(async () => {
        const projects = database.repository(ProjectEntity);
        expectRow(await projects.findOneBy({ id }), id, tenant.id);
        await projects.update({ id }, { description: `Turn ${turn}.` });
      }),
    );
  }, CALLERS);
}
