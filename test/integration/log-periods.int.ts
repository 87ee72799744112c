import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canonicalEvent, newEventId } from '../../src/audit/audit-event.js';
import { AuditLog } from '../../src/audit/audit-log.js';
import { CELL_MIGRATIONS, TENANT_MIGRATIONS } from '../../src/migrations/index.js';
import {
  LogPeriods,
  PeriodNotAccounted,
  Provisioning,
  type TenantRef,
} from '../../src/platform/database/index.js';
import { verifierOf } from '../support/log-parts.js';
import { connectAs, LOGIN_SECRET, openTestDatabase, type TestDatabase } from '../support/test-database.js';

let db: TestDatabase;
let writers: AuditLog[];
let periods: LogPeriods;

beforeAll(async () => {
  db = await openTestDatabase();
  // Two processes, as far as the log can tell.
  writers = [new AuditLog(db.cells), new AuditLog(db.cells)];
  periods = new LogPeriods(db.cells.home);
});
afterAll(() => db.close());

const writer = (at: number): AuditLog => writers[at % writers.length] as AuditLog;
const event = (tenant: TenantRef) =>
  canonicalEvent(
    newEventId(),
    tenant,
    { action: 'agent.read', actor: { type: 'user', id: 'somebody' }, outcome: 'success' },
    undefined,
  );
const append = (tenant: TenantRef, count: number): Promise<void[]> =>
  Promise.all(Array.from({ length: count }, (_, at) => writer(at).append(tenant, event(tenant))));
const valid = async (tenant: TenantRef, checked: number): Promise<void> =>
  expect(await verifierOf(db.cells, writer(0)).execute(tenant)).toMatchObject({ valid: true, checked });
const current = async (): Promise<number> =>
  (await db.superuser.query<{ period: number }>('SELECT audit.current_period() AS period')).rows[0]?.period ??
  0;
const tables = async (): Promise<string[]> =>
  (
    await db.superuser.query<{ name: string }>(
      `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'audit.events'::regclass ORDER BY inhrelid`,
    )
  ).rows.map(({ name }) => name);
/** Each log's numbers, in the order of the periods: [period, first, last, how many]. */
const course = async (tenant: TenantRef): Promise<number[][]> =>
  (
    await db.superuser.query<{ part: number[] }>(
      `SELECT ARRAY[period, min(seq)::int, max(seq)::int, count(*)::int] AS part FROM audit.events
       WHERE tenant = $1 GROUP BY period ORDER BY period`,
      [tenant.id],
    )
  ).rows.map(({ part }) => part);

describe('the periods of the logs', () => {
  it('follow each other while two processes append: each log goes on, without gap, never back', async () => {
    const [a, b] = [await db.newTenant(), await db.newTenant()];
    const first = await current();
    for (let round = 0; round < 3; round += 1) {
      const appending = Promise.all([append(a, 300), append(b, 40)]);
      await Promise.all([periods.keep(0), appending]);
    }
    await periods.keep(0);
    expect(await current()).toBeGreaterThan(first + 2);
    await append(a, 1);
    for (const [tenant, count] of [
      [a, 901],
      [b, 120],
    ] as const) {
      await valid(tenant, count);
      const parts = await course(tenant);
      let next = 1;
      for (const [, from, to, events] of parts) {
        expect([from, events]).toEqual([next, (to ?? 0) - next + 1]);
        next = (to ?? 0) + 1;
      }
      expect(next).toBe(count + 1);
    }
  });

  it('are kept by many processes at once: one begins, and two tables are always ready', async () => {
    const before = await current();
    await Promise.all(Array.from({ length: 4 }, () => periods.keep()));
    expect(await current()).toBe(before);
    await periods.keep(0);
    const now = await current();
    expect(now).toBe(before + 1);
    expect(await tables()).toEqual(
      expect.arrayContaining([0, 1, 2].map((ahead) => `audit.events_${now + ahead}`)),
    );
  });

  it('that lost their tables get new ones; until then nothing is appended, and no number is lost', async () => {
    const tenant = await db.newTenant();
    await append(tenant, 5);
    await periods.keep(0);
    const now = await current();
    for (const period of [now, now + 1]) await db.superuser.query(`DROP TABLE audit.events_${period}`);
    await expect(append(tenant, 1)).rejects.toThrow('The audit log cannot be written');
    await periods.keep();
    await append(tenant, 5);
    await valid(tenant, 10);
    expect(await tables()).toEqual(
      expect.arrayContaining([`audit.events_${now}`, `audit.events_${now + 1}`]),
    );
  });

  it('are dropped only where every event is accounted for, while others are appended', async () => {
    const tenant = await db.newTenant();
    await append(tenant, 20);
    await periods.keep(0);
    await append(tenant, 7);
    const [old] = (await periods.ended(0)).slice(-1);
    if (!old) throw new Error('No period has ended.');
    expect(old.period).toBe((await current()) - 1);
    await expect(periods.drop(old, 19)).rejects.toBeInstanceOf(PeriodNotAccounted);
    await valid(tenant, 27);
    const { rows } = await db.superuser.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${old.table}`);
    const appending = Array.from({ length: 20 }, () => append(tenant, 5));
    await Promise.all([periods.drop(old, rows[0]?.n ?? 0), ...appending]);
    expect(await tables()).not.toContain(old.table);
    expect((await periods.ended(0)).map(({ period }) => period)).not.toContain(old.period);
    expect(await course(tenant)).toEqual([[old.period + 1, 21, 127, 107]]);
  });

  it('take the index of their events with them, and those to come have a table for it', async () => {
    const tenant = await db.newTenant();
    await append(tenant, 30);
    const { rows } = await db.superuser.query<{ period: number }>(
      'SELECT period FROM audit.events WHERE tenant = $1 LIMIT 1',
      [tenant.id],
    );
    const period = rows[0]?.period ?? 0;
    const index = `WITH i AS (INSERT INTO audit.indexed (tenant, block, period) VALUES ($1, 0, $2))
      INSERT INTO audit.postings (tenant, period, block, bucket, entries) VALUES ($1, $2, 0, 7, '')`;
    await db.superuser.query(index, [tenant.id, period]);
    await periods.keep(0);
    const [old] = (await periods.ended(0)).slice(-1);
    if (old?.period !== period) throw new Error('The period has not ended.');
    const { rows: counted } = await db.superuser.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM ${old.table}`,
    );
    await periods.drop(old, counted[0]?.n ?? 0);
    const left = await db.superuser.query<{ left: number; tables: string[] }>(
      `SELECT (SELECT count(*) FROM audit.postings WHERE tenant = $1)::int + (SELECT count(*) FROM audit.indexed WHERE tenant = $1)::int AS left,
         ARRAY(SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit.postings'::regclass) AS tables`,
      [tenant.id],
    );
    expect(left.rows[0]?.left).toBe(0);
    expect(left.rows[0]?.tables).not.toContain(`audit.postings_${period}`);
    const now = await current();
    expect(left.rows[0]?.tables).toEqual(
      expect.arrayContaining([0, 1, 2].map((ahead) => `audit.postings_${now + ahead}`)),
    );
  });

  it('that were half detached by a process that died are dropped by the next', async () => {
    const tenant = await db.newTenant();
    await append(tenant, 3);
    await periods.keep(0);
    const [old] = (await periods.ended(0)).slice(-1);
    if (!old) throw new Error('No period has ended.');
    const reader = await connectAs(db.url, 'audit');
    await reader.query('BEGIN');
    await reader.query('SELECT count(*) FROM audit.events');
    // Waits for the reader, and is cut off while it does: the state that a kill leaves.
    await expect(
      db.superuser.connect().then(async (client) => {
        try {
          await client.query("SET statement_timeout = '500ms'");
          await client.query(`ALTER TABLE audit.events DETACH PARTITION ${old.table} CONCURRENTLY`);
        } finally {
          client.release(true);
        }
      }),
    ).rejects.toThrow('timeout');
    await reader.end();
    const { rows } = await db.superuser.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${old.table}`);
    await expect(periods.drop(old, 0)).rejects.toBeInstanceOf(PeriodNotAccounted);
    expect(await tables()).toContain(old.table);
    await valid(tenant, 3);
    await periods.drop(old, rows[0]?.n ?? 0);
    expect(await tables()).not.toContain(old.table);
  });

  it('cannot be changed, begun or written around by the login that appends', async () => {
    const login = await connectAs(db.url, 'audit');
    const now = await current();
    for (const statement of [
      `INSERT INTO audit.events_${now} SELECT * FROM audit.events LIMIT 0`,
      `SELECT 1 FROM audit.events_${now}`,
      'UPDATE audit.periods SET begun_at = now()',
      'INSERT INTO audit.periods (period) VALUES (99)',
      `DROP TABLE audit.events_${now}`,
      `ALTER TABLE audit.events DETACH PARTITION audit.events_${now}`,
      'DELETE FROM audit.events',
      'UPDATE audit.events SET period = 1',
    ])
      await expect(login.query(statement)).rejects.toThrow(/permission denied|must be owner/);
    await login.end();
  });
});

it('a database of before is brought over with its logs as they were, and they go on', async () => {
  const at = CELL_MIGRATIONS.findIndex(({ name }) => name.startsWith('CellLogPeriods'));
  const older = await openTestDatabase({ cellMigrations: CELL_MIGRATIONS.slice(0, at) });
  const [a, b] = [await older.newTenant(), await older.newTenant()];
  for (const tenant of [a, b])
    await older.superuser.query(
      `INSERT INTO audit.events SELECT $1, n, gen_random_uuid(), now(), 'a', 'b', 'success', 'event', 'leaf', 'chain'
       FROM generate_series(1, 500) n`,
      [tenant.id],
    );
  const content = async (): Promise<unknown> =>
    (
      await older.superuser.query(
        `SELECT tenant, count(*), md5(string_agg(ROW(seq, id, at, action, actor, outcome, event, leaf_hash, chain_hash)::text, ',' ORDER BY seq))
         FROM audit.events GROUP BY tenant ORDER BY tenant`,
      )
    ).rows;
  const before = await content();
  const migrations = { cell: CELL_MIGRATIONS, tenant: TENANT_MIGRATIONS };
  const provisioning = new Provisioning(older.cells, LOGIN_SECRET, migrations);
  await provisioning.migrate();
  await provisioning.onApplicationShutdown();
  expect(await content()).toEqual(before);
  const c = await older.newTenant();
  await new AuditLog(older.cells).append(c, event(c));
  await new LogPeriods(older.cells.home).keep(0);
  const { rows } = await older.superuser.query(
    'SELECT DISTINCT tableoid::regclass::text AS name FROM audit.events',
  );
  expect(rows).toEqual([{ name: 'audit.events_1' }]);
  await older.close();
});
