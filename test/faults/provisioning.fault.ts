import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CELL_MIGRATIONS, TENANT_MIGRATIONS } from '../../src/migrations/index.js';
import { Cell, Cells, Provisioning } from '../../src/platform/database/index.js';
import { newHome } from '../support/application.js';
import { startTestPostgres } from '../support/test-postgres.js';

const CELL = 'eu-test-1-c1';
const SECRET = 'test '.repeat(8);
const TENANTS = 300;
const OWNER_PROCESS = fileURLToPath(new URL('../support/owner-process.ts', import.meta.url));

let url: string;
let superuser: pg.Pool;
let provisioning: Provisioning;
const closing: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  const home = await newHome();
  closing.push(() => rm(home, { recursive: true, force: true }));
  const postgres = await startTestPostgres(join(home, 'data'));
  closing.push(() => postgres.stop());
  const { host, port, user, password, database } = postgres.connection;
  url = `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`;
  superuser = new pg.Pool({ connectionString: url, max: 2 });
  closing.push(() => superuser.end());
  const pools = { tenant: 2, lane: 1, control: 2, audit: 1 };
  const cells = new Cells([
    new Cell(
      { name: CELL, region: 'eu-test-1', capacity: 10_000, ownerUrl: url },
      SECRET,
      pools,
      [],
      () => undefined,
    ),
  ]);
  provisioning = new Provisioning(cells, SECRET, { cell: CELL_MIGRATIONS, tenant: TENANT_MIGRATIONS });
  closing.push(async () => {
    await provisioning.close();
    await cells.close();
  });
  await provisioning.migrate();
});
afterAll(async () => {
  for (const end of closing.toReversed()) await end();
});

/** Runs the process until it ends, or is killed because `enough` says so; answers what it said. */
async function ownerProcess(
  args: readonly string[],
  enough: (line: string) => boolean = () => false,
): Promise<{ code: number | null; said: string[] }> {
  const [command = '', ...rest] = args;
  const child = spawn(process.execPath, [OWNER_PROCESS, command, url, SECRET, ...rest], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'close');
  const said: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    said.push(line);
    if (enough(line)) child.kill('SIGKILL');
  }
  const [code] = (await exited) as [number | null];
  // The server notices the end of a killed client only when it next writes to it or reads from it.
  await expect
    .poll(
      async () =>
        rows(`SELECT pid FROM pg_stat_activity WHERE application_name = 'waxell-owner' AND state <> 'idle'`),
      { timeout: 10_000 },
    )
    .toEqual([]);
  return { code, said };
}

async function rows<Row extends pg.QueryResultRow>(text: string): Promise<Row[]> {
  return (await superuser.query<Row>(text)).rows;
}

/** The tenants in which the migration's column, its index, its row, its entry in the ledger and its version are found. */
async function traces(): Promise<string[][]> {
  const schemas = async (text: string): Promise<string[]> =>
    (await rows<{ schema: string }>(`SELECT schema FROM (${text}) found ORDER BY 1`)).map(
      ({ schema }) => schema,
    );
  const known = await schemas('SELECT schema FROM migrations.schemas');
  const inserted = known
    .map((schema) => `SELECT '${schema}' AS schema FROM "${schema}".projects`)
    .join(' UNION ALL ');
  return Promise.all([
    schemas(`SELECT table_schema::text AS schema FROM information_schema.columns WHERE column_name = 'slow'`),
    schemas(`SELECT schemaname::text AS schema FROM pg_indexes WHERE indexname = 'agents_slow_idx'`),
    schemas(inserted),
    schemas('SELECT schema FROM migrations.ledger WHERE version = 20270101000001'),
    schemas('SELECT schema FROM migrations.schemas WHERE version = 20270101000001'),
  ]);
}

it('spares that are being built when the process is killed are whole or not there', async () => {
  for (let round = 1; round <= 3; round += 1) {
    const filling = spawn(process.execPath, [OWNER_PROCESS, 'fill', url, SECRET, '40'], { stdio: 'inherit' });
    const exited = once(filling, 'close');
    const before = (await rows('SELECT 1 FROM migrations.spares')).length;
    await expect
      .poll(async () => (await rows('SELECT 1 FROM migrations.spares')).length, {
        timeout: 20_000,
        interval: 5,
      })
      .toBeGreaterThan(before);
    await sleep(Math.random() * 150);
    filling.kill('SIGKILL');
    await exited;
  }
  await sleep(200);
  const [counts] = await rows(`
    SELECT (SELECT count(*) FROM migrations.spares) AS spares, (SELECT count(*) FROM migrations.schemas) AS schemas,
      (SELECT count(*) FROM pg_namespace WHERE nspname ~ '^t_') AS namespaces,
      (SELECT count(*) FROM pg_roles WHERE rolname ~ '^t_') AS roles,
      (SELECT count(DISTINCT (count, rights)) FROM (
        SELECT count(*), sum(cardinality(relacl)) AS rights FROM pg_class
        WHERE relnamespace::regnamespace::text ~ '^t_' GROUP BY relnamespace) shapes) AS shapes`);
  const { spares } = counts as { spares: string };
  expect(counts).toEqual({ spares, schemas: spares, namespaces: spares, roles: spares, shapes: '1' });
  // Its lock went with the process: the next one fills on.
  const { code } = await ownerProcess(['fill', String(Number(spares) + 1)]);
  expect(code).toBe(0);
  expect(await rows('SELECT 1 FROM migrations.spares')).toHaveLength(Number(spares) + 1);
});

it('a spare that a killed process had claimed becomes a tenant or goes, and is never handed out again', async () => {
  const claimed: string[] = [];
  const created: string[] = [];
  for (let round = 1; round <= 3; round += 1) {
    await ownerProcess(['fill', '12']);
    // After claims as well as after creations.
    const last = round % 2 === 0 ? 'created' : 'claimed';
    let count = 0;
    const { said } = await ownerProcess(
      ['found'],
      (line) => line.startsWith(last) && (count += 1) >= 3 + round,
    );
    for (const line of said) {
      const [what, id = ''] = line.split(' ');
      (what === 'claimed' ? claimed : created).push(id);
    }
  }
  await provisioning.dropAbandonedSpares(CELL, 0);
  expect(new Set(claimed).size).toBe(claimed.length);
  const standing = (await rows<{ schema: string }>('SELECT schema FROM migrations.schemas')).map(
    ({ schema }) => schema,
  );
  expect(standing).toEqual(expect.arrayContaining(created));
  const free = await rows<{ schema: string }>('SELECT schema FROM migrations.spares');
  const ids = await Promise.all(free.map(() => provisioning.claimId(CELL)));
  expect(ids.toSorted()).toEqual(free.map(({ schema }) => schema).toSorted());
  expect(ids.filter((id) => claimed.includes(id))).toEqual([]);
  for (const id of ids) await provisioning.giveBackId({ id, region: 'eu-test-1', cell: CELL });
  // Nothing is left of those that went.
  const schemas = await rows(`SELECT nspname FROM pg_namespace WHERE nspname ~ '^t_'`);
  const roles = await rows(`SELECT rolname FROM pg_roles WHERE rolname ~ '^t_'`);
  expect([schemas.length, roles.length]).toEqual([standing.length, standing.length]);
});

it('a migration of 300 tenants that is killed again and again is applied to each of them once', async () => {
  for (let missing = true; missing;) {
    await provisioning.refillSpares(CELL, {
      target: TENANTS,
      rest: 0,
      signal: new AbortController().signal,
    });
    missing = (await rows('SELECT 1 FROM migrations.schemas')).length < TENANTS;
  }
  const partial: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    const enough = Math.floor(Math.random() * 40);
    await ownerProcess(['migrate'], (line) => Number(line.split(' ')[1]) >= enough);
    const [first = [], ...others] = await traces();
    for (const other of others) expect(other).toEqual(first);
    partial.push(first.length);
  }
  const all = (await rows<{ schema: string }>('SELECT schema FROM migrations.schemas ORDER BY 1')).map(
    ({ schema }) => schema,
  );
  expect(partial.filter((count) => count > 0 && count < all.length).length).toBeGreaterThan(0);
  expect((await ownerProcess(['migrate'])).code).toBe(0);
  for (const found of await traces()) expect(found).toEqual(all);
  expect((await ownerProcess(['migrate'])).said).toEqual([]);
  for (const found of await traces()) expect(found).toEqual(all);
});
