import { execFile } from 'node:child_process';
import { chmod, chown, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canonicalEvent, newEventId, parseEvent, type AuditEvent } from '../../src/audit/audit-event.js';
import { AuditLog } from '../../src/audit/audit-log.js';
import { LogPeriods, type TenantRef } from '../../src/platform/database/index.js';
import { verifierOf } from '../support/log-parts.js';
import { openTestDatabase, type TestDatabase } from '../support/test-database.js';

const run = promisify(execFile);
const EVENT: AuditEvent = {
  action: 'agent.read',
  actor: { type: 'user', id: 'somebody' },
  outcome: 'success',
};

let db: TestDatabase;
let log: AuditLog;
let a: TenantRef;
let b: TenantRef;

beforeAll(async () => {
  db = await openTestDatabase();
  log = new AuditLog(db.cells);
  [a, b] = [await db.newTenant(), await db.newTenant()];
});
afterAll(() => db.close());

const made = (tenant: TenantRef, changes: Record<string, unknown> = {}) =>
  canonicalEvent(newEventId(), tenant, { ...EVENT, changes }, undefined);
/** As somebody's own SQL says when it was; in milliseconds. */
const madeAt = (tenant: TenantRef, at: string): Buffer =>
  Buffer.from(
    made(tenant)
      .bytes.toString()
      .replace(/"at":"[^"]+"/, `"at":"${at.slice(0, -1)}000Z"`),
  );
/** What does not become smaller when it is compressed. */
const random = () => ({ random: randomBytes(60_000).toString('base64') });
const outbox = (tenant: TenantRef, bytes: Buffer) =>
  db.superuser.query('INSERT INTO audit.outbox (tenant, event) VALUES ($1, $2)', [tenant.id, bytes]);
async function whole(tenant: TenantRef): Promise<number> {
  const { valid, checked } = await verifierOf(db.cells, log).execute(tenant);
  expect(valid).toBe(true);
  return checked;
}
const actions = async (tenant: TenantRef): Promise<string[]> =>
  (
    await db.superuser.query<{ action: string }>(
      'SELECT action FROM audit.events WHERE tenant = $1 ORDER BY seq',
      [tenant.id],
    )
  ).rows.map(({ action }) => action);

describe('a log that is given what it does not expect', () => {
  it('goes on where the clock goes backwards: the numbers say what came first, and the period stays', async () => {
    const times = [0, -86_400_000, 240_000, -30 * 86_400_000].map((by) => Date.now() + by);
    for (const time of times) await outbox(a, madeAt(a, new Date(time).toISOString()));
    await log.drainOutbox(a.cell);
    const period = async (): Promise<unknown> =>
      (await db.superuser.query('SELECT audit.current_period() AS period')).rows;
    const before = await period();
    // The database's own clock was far ahead when the period began.
    await db.superuser.query(
      `UPDATE audit.periods SET begun_at = now() + interval '3 years' WHERE period = audit.current_period()`,
    );
    await new LogPeriods(db.cells.home).keep();
    expect(await period()).toEqual(before);
    await log.append(a, made(a));
    expect(await whole(a)).toBe(5);
    const { rows } = await db.superuser.query<{ at: Date }>(
      `SELECT at FROM audit.events WHERE tenant = $1 ORDER BY seq LIMIT 4`,
      [a.id],
    );
    expect(rows.map(({ at }) => at.getTime())).toEqual(times);
  });

  it('tells of an event of another time as a whole, in its place; of a day that there is not, as of what is no event', async () => {
    const [mine, theirs] = [await whole(a), await whole(b)];
    const minutes = (by: number) => new Date(Date.now() + by * 60_000).toISOString();
    const away = [minutes(6), minutes(-32 * 1_440), '2099-01-01T00:00:00.000Z'].map((at) => madeAt(a, at));
    for (const bytes of away) await outbox(a, bytes);
    for (const at of ['2026-02-30T00:00:00.000Z', '2026-11-30T24:00:00.000Z', '2026-13-01T00:00:00.000Z'])
      await outbox(a, madeAt(a, at));
    await outbox(b, made(b).bytes);
    await log.drainOutbox(a.cell);
    const { rows } = await db.superuser.query<{ event: Buffer }>(
      'SELECT event FROM audit.events WHERE tenant = $1 AND seq > $2 ORDER BY seq',
      [a.id, mine],
    );
    const told = rows.map(({ event }) => parseEvent(event));
    expect(told.map(({ action }) => action)).toEqual(Array<string>(6).fill('audit.event_rejected'));
    expect(told.map(({ changes }) => changes?.['event'])).toEqual([
      ...away.map((bytes) => parseEvent(bytes)),
      undefined,
      undefined,
      undefined,
    ]);
    expect(await whole(a)).toBe(mine + 6);
    expect(await whole(b)).toBe(theirs + 1);
  });

  it('takes an event of a megabyte by itself, and refuses it from a tenant’s transaction with an error', async () => {
    const before = await whole(a);
    const large = made(a, { text: 'x'.repeat(1_048_576) });
    await log.append(a, large);
    await expect(outbox(a, large.bytes)).rejects.toMatchObject({ code: '23514' });
    await log.append(a, made(a));
    expect(await whole(a)).toBe(before + 2);
  });

  it('puts a rejection in the place of what is no event: no UTF-8, no JSON, a neighbour’s, text or a year that no column takes', async () => {
    const [mine, theirs] = [await whole(a), await whole(b)];
    const text = made(a, { name: 'canary' }).bytes;
    const at = text.indexOf('canary');
    for (const bytes of [
      Buffer.concat([text.subarray(0, at), Buffer.from([0xff, 0xfe, 0xc0, 0x80]), text.subarray(at)]),
      Buffer.from([0xed, 0xa0, 0x80]),
      Buffer.from('{"v":1'),
      Buffer.alloc(0),
      made(b).bytes,
      Buffer.from('null'),
      Buffer.from(text.toString().replace('somebody', String.raw`some\u0000body`)),
      Buffer.from(text.toString().replace('somebody', String.raw`some\ud800body`)),
      Buffer.from(text.toString().replace(/"at":"\d{4}/, '"at":"0000')),
    ])
      await outbox(a, bytes);
    await outbox(a, made(a).bytes);
    await log.drainOutbox(a.cell);
    expect((await actions(a)).slice(-10)).toEqual([
      ...Array<string>(9).fill('audit.event_rejected'),
      'agent.read',
    ]);
    expect(await whole(a)).toBe(mine + 10);
    expect(await whole(b)).toBe(theirs);
  });

  it('whose disk is full answers with an error and leaves no hole; with room again it goes on', async () => {
    const disk = await smallDisk();
    if (!disk) {
      process.stderr.write('SKIPPED: a log whose disk is full: no small file system can be mounted here\n');
      return;
    }
    const before = await whole(a);
    const { rows } = await db.superuser.query<{ table: string }>(
      `SELECT 'audit.events_' || audit.current_period() AS table`,
    );
    const table = rows[0]?.table ?? '';
    try {
      // The present period is on another disk than the heads, as it is where an operator moves it there.
      await new LogPeriods(db.cells.home).keep(-36_500);
      const current = await db.superuser.query<{ table: string }>(
        `SELECT 'audit.events_' || audit.current_period() AS table`,
      );
      const onDisk = current.rows[0]?.table ?? '';
      expect(onDisk).not.toBe(table);
      await db.superuser.query(`CREATE TABLESPACE small LOCATION '${disk.folder}'`);
      await db.superuser.query(`ALTER TABLE ${onDisk} SET TABLESPACE small`);
      const until = async (limit: number): Promise<{ appended: number; refused: unknown }> => {
        for (let appended = 0; appended < limit; appended += 1)
          try {
            await log.append(a, made(a, random()));
          } catch (refused) {
            return { appended, refused };
          }
        return { appended: limit, refused: undefined };
      };
      const { appended, refused } = await until(400);
      expect(refused).toMatchObject({ code: 'UNAVAILABLE', cause: { code: '53100' } });
      expect(await whole(a)).toBe(before + appended);
      await expect(log.append(a, made(a, random()))).rejects.toMatchObject({
        cause: { code: '53100' },
      });
      await db.superuser.query(`ALTER TABLE ${onDisk} SET TABLESPACE pg_default`);
      await Promise.all([log.append(a, made(a)), log.append(b, made(b))]);
      expect(await whole(a)).toBe(before + appended + 1);
      await db.superuser.query('DROP TABLESPACE small');
    } finally {
      await disk.remove();
    }
  });
});

interface SmallDisk {
  readonly folder: string;
  remove(): Promise<void>;
}

/** A file system of a few megabytes that the database server may write to; undefined where none can be mounted. */
async function smallDisk(): Promise<SmallDisk | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const folder = await mkdtemp(join(tmpdir(), 'waxell-small-'));
  try {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder]);
  } catch {
    await rm(folder, { recursive: true });
    return undefined;
  }
  const { rows } = await db.superuser.query<{ dir: string }>(
    `SELECT current_setting('data_directory') AS dir`,
  );
  const { uid, gid } = await stat(rows[0]?.dir ?? '/');
  await chown(folder, uid, gid);
  await chmod(folder, 0o700);
  return {
    folder,
    remove: async () => {
      await run('umount', ['-l', folder]);
      await rm(folder, { recursive: true });
    },
  };
}
