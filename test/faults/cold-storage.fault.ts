import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FileObjectStore } from '@waxell/infra';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TenantRef } from '../../src/platform/database/index.js';
import { appendEvents, endPeriod, logKeeping, type LogKeeping } from '../support/cold-logs.js';
import { print } from '../support/print.js';
import { LOGIN_SECRET, openTestDatabase, type TestDatabase } from '../support/test-database.js';

/** Periods that go to cold storage under kills. In full: WAXELL_COLD_PERIODS=200. */
const PERIODS = Number(process.env['WAXELL_COLD_PERIODS'] ?? 1);
const EVENTS = 400;

let db: TestDatabase;
let folder: string;
let tenants: TenantRef[];
let keeping: LogKeeping;

beforeAll(async () => {
  db = await openTestDatabase();
  folder = await mkdtemp(join(tmpdir(), 'waxell-cold-'));
  tenants = [await db.newTenant(), await db.newTenant(), await db.newTenant()];
  keeping = logKeeping(db, new FileObjectStore({ dir: folder }));
});
afterAll(async () => {
  await db.close();
  await rm(folder, { recursive: true, force: true });
});

it(
  'a process that is killed again and again while it brings logs to cold storage loses no event, and two do no harm',
  async () => {
    const { name, region } = db.cells.home;
    const script = new URL('../support/cold-storer.ts', import.meta.url).pathname;
    const dropped = new Set<string>();
    let kills = 0;
    let said = '';
    for (let period = 1; period <= PERIODS; period += 1) {
      for (const tenant of tenants) await appendEvents(keeping.log, tenant, EVENTS);
      for (const tenant of tenants) await keeping.prove.current(tenant);
      await endPeriod(db, 91);
      const whole = await Promise.all(tenants.map((tenant) => keeping.exported(tenant)));
      // Lives that get longer: it dies in its first steps, and later and later in them.
      for (let life = 5; !dropped.has(String(period)); life += 30 + Math.random() * 60) {
        const children = [0, 1].map(() => {
          const args = [script, db.url, LOGIN_SECRET, name, region, folder];
          const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
          child.stdout.on('data', (text: Buffer) => {
            for (const line of text.toString().split('\n')) if (line !== '') dropped.add(line);
          });
          child.stderr.on('data', (text: Buffer) => (said += text.toString()));
          return child;
        });
        await Promise.all(children.map((child) => once(child.stdout, 'data')));
        await sleep(life);
        const ends = children.map((child) => once(child, 'close'));
        for (const child of children) child.kill('SIGKILL');
        await Promise.all(ends);
        kills += children.length;
        const { rows } = await db.superuser.query<{ period: string }>(
          'SELECT period::text FROM audit.periods WHERE dropped_at IS NOT NULL',
        );
        for (const row of rows) dropped.add(row.period);
        for (const tenant of tenants)
          expect(await keeping.verify.execute(tenant)).toMatchObject({
            valid: true,
            checked: period * EVENTS,
          });
      }
      expect(await Promise.all(tenants.map((tenant) => keeping.exported(tenant)))).toEqual(whole);
    }
    // A connection that was just killed may still hold what the next one wants; nothing else goes wrong.
    expect(
      said.replaceAll(/^.*(?:lock timeout|is already pending detach|does not exist).*$/gm, '').trim(),
    ).toBe('');
    print(`${PERIODS} periods of ${tenants.length} logs went to cold storage under ${kills} kills.`);
    const { rows } = await db.superuser.query('SELECT count(*)::int AS hot FROM audit.events');
    expect(rows).toEqual([{ hot: 0 }]);
  },
  60_000 + PERIODS * 20_000,
);
