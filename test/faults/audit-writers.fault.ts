import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AuditLog } from '../../src/audit/audit-log.js';
import type { TenantRef } from '../../src/platform/database/index.js';
import { verifierOf } from '../support/log-parts.js';
import { print } from '../support/print.js';
import { LOGIN_SECRET, openTestDatabase, type TestDatabase } from '../support/test-database.js';

const WRITERS = 4;
/** Events that were answered as durable. In full: WAXELL_AUDIT_ROUNDS=10000. */
const ROUNDS = Number(process.env['WAXELL_AUDIT_ROUNDS'] ?? 2_000);
/** Processes that are killed at work, at least. */
const KILLS = Math.max(5, Math.floor(ROUNDS / 400));
/** Each death costs a start, which a busy machine takes many seconds for. */
const LIMIT_MS = 60_000 + ROUNDS * 60;

let db: TestDatabase;
let tenants: TenantRef[];
const running = new Set<ChildProcess>();
/** Those that have been answered: to kill another is to kill a start, which a busy machine takes long for. */
const atWork = new Set<ChildProcess>();

beforeAll(async () => {
  db = await openTestDatabase();
  tenants = [await db.newTenant(), await db.newTenant()];
});
afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  await db.close();
});

/** A writer whose answers are noted as they come, and which is replaced as soon as it ends. */
function keepWriting(answered: string[], told: { over: boolean; errors: string }): void {
  const { name, region } = db.cells.home;
  const script = new URL('../support/audit-writer.ts', import.meta.url).pathname;
  const args = [script, db.url, LOGIN_SECRET, name, region, ...tenants.map(({ id }) => id)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  createInterface({ input: child.stdout }).on('line', (id) => {
    if (running.has(child)) atWork.add(child);
    // A killed process may leave half a line.
    if (id.length === 36) answered.push(id);
  });
  child.stderr.on('data', (text: Buffer) => (told.errors += text.toString()));
  child.once('exit', (_code, signal) => {
    running.delete(child);
    atWork.delete(child);
    if (signal !== 'SIGKILL' && !told.over) told.errors += `A writer ended by itself.\n`;
    if (!told.over) keepWriting(answered, told);
  });
}

it(
  'four processes that append to the same logs and are killed again and again leave no fork, no gap, and nothing out',
  async () => {
    const answered: string[] = [];
    const told = { over: false, errors: '' };
    for (let at = 0; at < WRITERS; at += 1) keepWriting(answered, told);
    let kills = 0;
    while ((answered.length < ROUNDS || kills < KILLS) && told.errors === '') {
      await sleep(100 + Math.random() * 900);
      const [...alive] = atWork;
      if (alive[Math.floor(Math.random() * alive.length)]?.kill('SIGKILL')) kills += 1;
    }
    told.over = true;
    const ends = [...running].map((child) => once(child, 'exit'));
    for (const child of running) child.kill('SIGKILL');
    await Promise.all(ends);
    expect(told.errors).toBe('');

    // Starting is what moves into the logs that which the dead have left in the outbox.
    const log = new AuditLog(db.cells);
    const verify = verifierOf(db.cells, log);
    for (const tenant of tenants)
      expect(await verify.execute(tenant)).toMatchObject({ valid: true, checked: expect.any(Number) });
    const { rows } = await db.superuser.query<{ id: string; times: number }>(
      'SELECT id, count(*)::int AS times FROM audit.events GROUP BY id',
    );
    const times = new Map(rows.map((row) => [row.id, row.times]));
    expect(answered.filter((id) => times.get(id) !== 1)).toEqual([]);
    expect([...times.values()].filter((count) => count !== 1)).toEqual([]);
    const { rows: gaps } = await db.superuser.query(
      `SELECT tenant FROM audit.events GROUP BY tenant HAVING count(*) <> max(seq) OR min(seq) <> 1`,
    );
    expect(gaps).toEqual([]);
    expect(kills).toBeGreaterThanOrEqual(KILLS);
    print(`${answered.length} events answered, ${rows.length} in the logs, ${kills} processes killed`);
    await log.onApplicationShutdown();
  },
  LIMIT_MS,
);
