/**
 * What many tenants cost: reads with 2,000 of them in the database beside reads with 10, claiming and building one,
 * migrating all of them beside migrating one after the other, and the memory of a connection that has served 1,000.
 */
import { backendMemory, SERVED, serverMicros } from './tenant-backends.ts';
import type { TenantId } from '../src/platform/database/index.ts';
import {
  compare,
  median,
  table,
  type BenchOptions,
  type BenchResult,
  type Comparison,
  type Side,
} from './measure.ts';
import { adding, CELL, TenantServer } from './tenant-server.ts';

const MANY = 2_000;
const FEW = 10;
const CLAIMS = 1_000;
const READERS = 32;
/** Many, because the two sides hardly differ and the machine's other work does. */
const READ_ROUNDS = 15;
const MIGRATION_ROUNDS = 3;
/** As the application's defaults are. */
const POOLS = { tenant: 10, lane: 4, control: 4, audit: 3 };

export default async function tenants(options: BenchOptions): Promise<BenchResult> {
  const few = await TenantServer.start();
  try {
    const many = await TenantServer.start();
    try {
      return await measure(few, many, options);
    } finally {
      await many.stop();
    }
  } finally {
    await few.stop();
  }
}

async function measure(few: TenantServer, many: TenantServer, { say }: BenchOptions): Promise<BenchResult> {
  await few.buildUpTo(FEW, () => undefined);
  const begun = performance.now();
  const built = await many.buildUpTo(MANY, (done) => say(`${done} tenants after ${seconds(begun)} s`));
  const building = {
    spare_build_ms: round(median(built)),
    first_100_ms: round(median(built.slice(0, 100))),
    last_100_ms: round(median(built.slice(-100))),
  };
  say(`built one in ${building.spare_build_ms} ms, from ${building.first_100_ms} to ${building.last_100_ms}`);

  const claim = await claims(many);
  say(
    `claimed one in ${claim.p50_ms} ms, p99 ${claim.p99_ms} ms (SELECT 1: ${claim.select_1_p99_ms} ms), with ${MANY} to choose from`,
  );
  const reads = await throughput(few, many);
  for (const line of table({ 'reads: 10 tenants, 2,000 as ours': reads })) say(line);
  const migration = await migrations(many, say);
  const memory = await backendMemory(many);
  say(`a connection that served ${SERVED} tenants has ${memory.mib} MiB of its own, ${memory.before} before`);

  const version = await many.superuser.query<{ server_version: string }>('SHOW server_version');
  return {
    ratios: {
      throughput_2000_over_10: reads.ratio,
      migration_vs_serial: migration.ratio,
      spare_build_growth: round(building.last_100_ms / building.first_100_ms),
    },
    absolute: {
      claim_p99_ms: claim.p99_ms,
      noop_migrate_ms: migration.noop,
      backend_mib_after_1000_tenants: memory.mib,
      ...building,
      claim_p50_ms: claim.p50_ms,
      select_1_p99_ms: claim.select_1_p99_ms,
      migration_ms: migration.ours,
      serial_migration_ms: migration.serial,
      reads,
    },
    ...(version.rows[0] && { postgres: version.rows[0].server_version }),
  };
}

/** One after the other, from a pool with thousands of spares; afterwards those claimed are given back. */
async function claims(
  server: TenantServer,
): Promise<Record<'p50_ms' | 'p99_ms' | 'select_1_p99_ms', number>> {
  const times: number[] = [];
  const nothing: number[] = [];
  const claimed = new Set<TenantId>();
  const spares = new Set(await server.tenants());
  for (let count = 0; count < CLAIMS; count += 1) {
    const begun = performance.now();
    const id = await server.provisioning.claimId(CELL);
    times.push(performance.now() - begun);
    nothing.push(await timed(() => server.superuser.query('SELECT 1')));
    if (!spares.has(id) || claimed.has(id)) throw new Error(`${id} is no spare, or was claimed twice.`);
    claimed.add(id);
  }
  for (const id of claimed) await server.provisioning.giveBackId({ id, region: 'eu-test-1', cell: CELL });
  return { p50_ms: round(median(times)), p99_ms: p99(times), select_1_p99_ms: p99(nothing) };
}

/** The same reads of the same number of tenants: what differs is how many others there are. */
async function throughput(few: TenantServer, many: TenantServer): Promise<Comparison> {
  const sides: { side: Side; close: () => Promise<void> }[] = [];
  try {
    for (const server of [few, many]) sides.push(await reader(server));
    const [baseline, ours] = sides;
    if (!baseline || !ours) throw new Error('Two sides are compared.');
    return await compare({ baseline: baseline.side, ours: ours.side }, { rounds: READ_ROUNDS });
  } finally {
    for (const { close } of sides) await close();
  }
}

async function reader(server: TenantServer): Promise<{ side: Side; close: () => Promise<void> }> {
  const all = await server.tenants();
  // Spread over all there are, as tenants that are busy at the same time would be.
  const hot = Array.from({ length: FEW }, (_, at) => all[Math.floor((at * all.length) / FEW)]).filter(
    (id) => id !== undefined,
  );
  const rows = new Map<TenantId, string>();
  for (const id of hot) rows.set(id, await project(server, id));
  const { database, close } = await server.driver(POOLS);
  const read = async (tenant: TenantId): Promise<void> => {
    const found = await database.within({ id: tenant, region: 'eu-test-1', cell: CELL }, () =>
      database.query<{ name: string }>({
        name: 'bench_project',
        text: 'SELECT id, name FROM projects WHERE id = $1',
        values: [rows.get(tenant)],
      }),
    );
    if (found[0]?.name !== tenant) throw new Error(`The row of ${tenant} was not answered.`);
  };
  const side: Side = async (forSeconds) => {
    const times: number[] = [];
    const before = await serverMicros(server);
    const begun = performance.now();
    const until = begun + forSeconds * 1_000;
    const loop = async (from: number): Promise<void> => {
      for (let at = from; performance.now() < until; at += 1) {
        const sent = performance.now();
        const tenant = hot[at % hot.length];
        if (tenant !== undefined) await read(tenant);
        times.push(performance.now() - sent);
      }
    };
    await Promise.all(Array.from({ length: READERS }, (_, at) => loop(at)));
    const elapsed = (performance.now() - begun) / 1_000;
    times.sort((a, b) => a - b);
    const percentile = (part: number): number => times[Math.floor((times.length - 1) * part)] ?? Number.NaN;
    const cpuMicros = ((await serverMicros(server)) - before) / times.length;
    return { perSecond: times.length / elapsed, p50: percentile(0.5), p99: percentile(0.99), cpuMicros };
  };
  return { side, close };
}

/** A row of the tenant's that is named as it is. */
async function project(server: TenantServer, tenant: TenantId): Promise<string> {
  const { rows } = await server.superuser.query<{ id: string }>(
    `INSERT INTO "${tenant}".projects (id, name, created_by) VALUES (gen_random_uuid(), $1, 'bench') RETURNING id`,
    [tenant],
  );
  return rows[0]?.id ?? '';
}

/** A ledger of its own, of the same shape. */
const SERIAL_LEDGER = `CREATE SCHEMA IF NOT EXISTS serial_ledger; CREATE TABLE IF NOT EXISTS serial_ledger.ledger (
  schema text NOT NULL, name text NOT NULL, checksum text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (schema, name))`;

interface MigrationFigures {
  readonly ours: number;
  readonly serial: number;
  readonly ratio: number;
  readonly noop: number;
}

/** By turns, each time with another column: all tenants by the migrator, all tenants one after the other. */
async function migrations(server: TenantServer, say: (line: string) => void): Promise<MigrationFigures> {
  const all = await server.tenants();
  const rounds: { ours: number; serial: number }[] = [];
  let provisioning = server.provisioning;
  for (let round = 0; round < MIGRATION_ROUNDS; round += 1) {
    const serial = await timed(() => migrateSerially(server, all, `serial_${round}`));
    const name = `Adds${20_990_101_000_000 + round}`;
    provisioning = server.withMigration(adding(name, `ALTER TABLE agents ADD COLUMN ours_${round} integer`));
    const ours = await timed(async () => {
      const migrated = (await provisioning.migrate()).get(CELL)?.migrated;
      if (migrated !== all.length) throw new Error(`${migrated} of ${all.length} tenants were migrated.`);
    });
    rounds.push({ ours, serial });
  }
  await everyTenantHas(server, all.length);
  const noops: number[] = [];
  for (let round = 0; round < 9; round += 1) noops.push(await timed(() => provisioning.migrate()));
  const figures = {
    ours: Math.round(median(rounds.map(({ ours }) => ours))),
    serial: Math.round(median(rounds.map(({ serial }) => serial))),
    ratio: round(median(rounds.map(({ ours, serial }) => serial / ours))),
    noop: round(median(noops)),
  };
  say(
    `migrated ${all.length} tenants in ${figures.ours} ms, one after the other in ${figures.serial} ms (${figures.ratio}x); with nothing to do ${figures.noop} ms`,
  );
  return figures;
}

/** The honest conventional way: one connection, a transaction for each tenant, a round trip for each statement. */
async function migrateSerially(
  server: TenantServer,
  all: readonly TenantId[],
  column: string,
): Promise<void> {
  const client = await server.owner();
  try {
    await client.query(SERIAL_LEDGER);
    for (const tenant of all) {
      await client.query('BEGIN');
      await client.query(`SET LOCAL search_path = "${tenant}"`);
      await client.query(`ALTER TABLE agents ADD COLUMN ${column} integer`);
      await client.query('INSERT INTO serial_ledger.ledger (schema, name, checksum) VALUES ($1, $2, $3)', [
        tenant,
        column,
        'x'.repeat(64),
      ]);
      await client.query('COMMIT');
    }
  } finally {
    await client.end();
  }
}

async function everyTenantHas(server: TenantServer, tenants: number): Promise<void> {
  const { rows } = await server.superuser.query<{ columns: number }>(
    `SELECT count(*)::int AS columns FROM information_schema.columns
     WHERE table_name = 'agents' AND column_name ~ '^(ours|serial)_[0-9]+$'`,
  );
  const expected = tenants * MIGRATION_ROUNDS * 2;
  if (rows[0]?.columns !== expected) throw new Error(`${rows[0]?.columns} columns instead of ${expected}.`);
}

function p99(times: readonly number[]): number {
  const sorted = times.toSorted((a, b) => a - b);
  return round(sorted[Math.ceil(sorted.length * 0.99) - 1] ?? Number.NaN);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

function seconds(begun: number): string {
  return ((performance.now() - begun) / 1_000).toFixed(0);
}

function round(value: number): number {
  return Number(value.toFixed(2));
}
