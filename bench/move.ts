/**
 * Moving an organisation of so many rows to the other region, beside a bare COPY of its rows from the one database into
 * the other: how long it takes, and for how long of that writes and reads were refused.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { Caller } from '../test/tour/api.ts';
import { startApplication } from '../test/tour/application.ts';
import { EmbeddedDatabase } from '../test/tour/database.ts';
import type { BenchOptions, BenchResult } from './measure.ts';

const SIZES = [1_000, 100_000, 500_000];
const { copyRows } = (await import(
  new URL('../dist/platform/database/moving/copy-rows.js', import.meta.url).href
)) as typeof import('../src/platform/database/moving/copy-rows.js');

interface Measured {
  readonly rows: number;
  readonly megabytes: number;
  readonly bareCopyMs: number;
  readonly moveMs: number;
  readonly writesPausedMs: number;
  readonly readsPausedMs: number;
}

interface Operation {
  readonly id: string;
  readonly step: string;
  readonly status: string;
  readonly progress: { readonly writesPausedMs?: number; readonly readsPausedMs?: number };
}

export default async function move({ say }: BenchOptions): Promise<BenchResult> {
  const app = await startApplication();
  const [here, there] = [
    await EmbeddedDatabase.of(app.home),
    await EmbeddedDatabase.of(app.home, 'eu-west-1'),
  ];
  const ends = [here.ownerUrl, there.ownerUrl];
  const [from, to] = ends.map((connectionString) => new pg.Client({ connectionString }));
  try {
    if (!from || !to) throw new Error('There are two databases.');
    await Promise.all([from.connect(), to.connect()]);
    const operator = new Caller(app.first.baseUrl, app.first.operatorKey);
    const measured: Measured[] = [];
    for (const rows of SIZES) measured.push(await one(operator, from, to, rows));
    for (const { rows, megabytes, ...times } of measured)
      say(
        `${rows} rows, ${megabytes} MB: ${Object.entries(times)
          .map(([name, ms]) => `${name} ${ms}`)
          .join(', ')}`,
      );
    const ratios = measured.map(({ rows, moveMs, bareCopyMs }) => [
      `move_${rows}`,
      Number((moveMs / bareCopyMs).toFixed(2)),
    ]);
    return { ratios: Object.fromEntries(ratios) as Record<string, number>, absolute: { measured } };
  } finally {
    await Promise.all([from?.end(), to?.end()]);
    await app.remove();
  }
}

async function one(operator: Caller, from: pg.Client, to: pg.Client, rows: number): Promise<Measured> {
  const slug = `bench-${rows}`;
  const made = await operator.post('/v1/tenants', {
    slug,
    name: slug,
    region: 'us-east-1',
    owner: { email: 'bench@example.com' },
  });
  const { id } = made.body as { id: string };
  // Half a kilobyte each, which does not compress.
  await from.query(
    `INSERT INTO "${id}".projects (id, name, description, created_by)
     SELECT gen_random_uuid(), 'project ' || n, (SELECT string_agg(md5(random()::text || n || m), '') FROM generate_series(1, 14) m), 'bench'
     FROM generate_series(1, ${rows}) n`,
  );
  const size = await from.query<{ bytes: string }>(`SELECT pg_table_size('"${id}".projects') AS bytes`);
  await to.query('CREATE TABLE public.bare (id uuid PRIMARY KEY, name text, description text)');
  let begun = performance.now();
  await copyRows(
    { source: from, target: to },
    `SELECT id, name, description FROM "${id}".projects`,
    'public.bare (id, name, description)',
  );
  const bareCopyMs = Math.round(performance.now() - begun);
  await to.query('DROP TABLE public.bare');
  begun = performance.now();
  const asked = { region: 'eu-west-1', confirmRegion: 'eu-west-1', pauseSeconds: 300, keepSeconds: 1 };
  let operation = (await operator.post(`/v1/tenants/${id}/move`, asked)).body as Operation;
  let moveMs = 0;
  while (operation.status === 'running') {
    await sleep(50);
    operation = (await operator.get(`/v1/tenants/${id}/operations/${operation.id}`)).body as Operation;
    if (moveMs === 0 && operation.progress.writesPausedMs !== undefined)
      moveMs = Math.round(performance.now() - begun);
  }
  if (operation.status !== 'done') throw new Error(`The move ended as ${JSON.stringify(operation)}`);
  const { writesPausedMs = 0, readsPausedMs = 0 } = operation.progress;
  const megabytes = Math.round(Number(size.rows[0]?.bytes) / 2 ** 20);
  return { rows, megabytes, bareCopyMs, moveMs, writesPausedMs, readsPausedMs };
}
