import { hash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { leafHash, openCheckpoint, verifyConsistency, verifyInclusion } from '@waxell/transparency';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { verifyExport } from '../../libs/cli/src/verify-export.js';
import {
  appendEvents,
  coldKeysOf,
  endPeriod,
  inDays,
  logKeeping,
  signLogs,
  twoAgedLogs,
  VERIFIER,
  type LogKeeping,
} from '../support/cold-logs.js';
import { MemoryObjects } from '../support/memory-objects.js';
import { openTestDatabase, type TestDatabase } from '../support/test-database.js';
import type { TenantRef } from '../../src/platform/database/index.js';

let db: TestDatabase;
let store: MemoryObjects;
let keeping: LogKeeping;

beforeEach(async () => {
  db = await openTestDatabase();
  store = new MemoryObjects();
  keeping = logKeeping(db, store);
});
afterEach(() => db.close());

const append = (tenant: TenantRef, count: number): Promise<void> => appendEvents(keeping.log, tenant, count);
const sign = (...tenants: readonly TenantRef[]) => signLogs(keeping, ...tenants);
const hotEvents = async (tenant: TenantRef): Promise<number[]> =>
  (
    await db.superuser.query<{ seq: string }>('SELECT seq FROM audit.events WHERE tenant = $1 ORDER BY seq', [
      tenant.id,
    ])
  ).rows.map(({ seq }) => Number(seq));
const coldKeys = (tenant: TenantRef): Promise<string[]> => coldKeysOf(store, tenant);
const twoLogs = (): Promise<[TenantRef, TenantRef]> => twoAgedLogs(db, keeping);

describe('logs go to cold storage', () => {
  it('when their time is over: whole periods leave the database, and every event is in a locked object', async () => {
    const [a, b] = await twoLogs();
    expect(await keeping.round()).toEqual([1]);
    expect((await hotEvents(a)).at(0)).toBe(301);
    expect(await hotEvents(b)).toEqual([8, 9, 10, 11, 12]);
    const [key = '', ...others] = await coldKeys(a);
    expect(key).toBe(`tenants/${a.id}/audit/cold/000000000000001-000000000000300.jsonl.gz`);
    expect(others).toEqual([]);
    const { retainUntil } = await store.locks.of(key);
    expect(Math.abs((retainUntil?.getTime() ?? 0) - inDays(365 - 91).getTime())).toBeLessThan(60_000);
    const { rows } = await db.superuser.query<{ sha256: Buffer; locked_until: Date }>(
      'SELECT sha256, locked_until FROM audit.cold WHERE tenant = $1',
      [a.id],
    );
    expect(rows).toEqual([
      { sha256: hash('sha256', store.stored.get(key) ?? '', 'buffer'), locked_until: retainUntil },
    ]);
    expect(await keeping.round()).toEqual([]);
  });

  it('not before it, not what an organisation keeps for longer, and not what no checkpoint covers', async () => {
    const [a, b] = [await db.newTenant(), await db.newTenant()];
    await Promise.all([append(a, 3), append(b, 3)]);
    await sign(b);
    await append(a, 1);
    await endPeriod(db, 89);
    expect(await keeping.round()).toEqual([]);
    await endPeriod(db, 91);
    expect(await keeping.round()).toEqual([]);
    await sign(a);
    await db.superuser.query(
      `INSERT INTO control.tenants (id, slug, name, region, cell, status) VALUES ($1, 'keeps-long', 'x', $2, $3, 'active')`,
      [b.id, b.region, b.cell],
    );
    await db.superuser.query('INSERT INTO control.log_retention (tenant, hot_days) VALUES ($1, 120)', [b.id]);
    expect(await keeping.round()).toEqual([]);
    await endPeriod(db, 121);
    expect((await keeping.round())?.at(0)).toBe(1);
    expect(await hotEvents(a)).toEqual([]);
  });

  it('and everything that reads them goes on over the seam', async () => {
    const [a, b] = await twoLogs();
    const [before] = await sign(a, b);
    const exportedBefore = await keeping.exported(a);
    await keeping.round();
    expect(await keeping.verify.execute(a)).toMatchObject({ valid: true, checked: 650, first: 1 });
    expect(await keeping.verify.execute(b)).toMatchObject({ valid: true, checked: 12, first: 1 });
    expect(await keeping.exported(a)).toEqual(exportedBefore);
    expect((await keeping.exported(a, 299)).slice(0, -1)).toEqual(exportedBefore.slice(298, -1));
    const checked = await verifyExport(await keeping.exported(a), [VERIFIER], [before?.note ?? '']);
    expect(checked).toEqual({ events: 650, checkpoints: [650, 650] });
    expect((await keeping.reader.after(a, 250, 1)).map(({ seq }) => seq)).toEqual([251]);
    expect((await keeping.reader.after(a, 299, 1_000_000)).map(({ seq }) => seq)).toEqual([300]);
    expect((await keeping.reader.after(a, 300, 1)).map(({ seq }) => seq)).toEqual([301]);
  });

  it('and are proven as before: of any event, between any checkpoints, also as they grow', async () => {
    const [a, b] = await twoLogs();
    const events = (await keeping.exported(a)).slice(0, -1).map((line) => {
      return Buffer.from((JSON.parse(line) as { event: string }).event);
    });
    const [older] = await sign(a, b);
    await keeping.round();
    await append(a, 200);
    const [newer] = await sign(a, b);
    for (const { size, root } of [older, newer].filter((each) => each !== undefined))
      for (const seq of [1, 2, 256, 257, 299, 300, 301, 302, 512, 513, 650]) {
        const proof = await keeping.prove.inclusion(a, seq, size);
        verifyInclusion(leafHash(events[seq - 1] ?? Buffer.alloc(0)), seq - 1, size, proof.hashes, root);
      }
    if (!older || !newer) throw new Error('There are no checkpoints.');
    const { hashes } = await keeping.prove.consistency(a, older.size, newer.size);
    verifyConsistency(older, newer, hashes);
    expect(openCheckpoint(newer.note, [VERIFIER]).size).toBe(850);
    await expect(keeping.prove.inclusion(b, 3, 12)).resolves.toMatchObject({ seq: 3, size: 12 });
  });

  it('period after period, in objects whose lines together are the export', async () => {
    const [a, b] = await twoLogs();
    await keeping.round();
    for (const count of [1, 400, 256]) {
      await append(a, count);
      await endPeriod(db, 91);
      await sign(a, b);
      await keeping.round();
    }
    await endPeriod(db, 91);
    await keeping.round();
    expect(await hotEvents(a)).toEqual([]);
    const lines = (await coldKeys(a)).flatMap((key) =>
      gunzipSync(store.stored.get(key) ?? '')
        .toString('utf8')
        .split('\n')
        .slice(0, -1),
    );
    expect(lines).toEqual((await keeping.exported(a)).slice(0, -1));
    const [{ note, size } = { note: '', size: 0 }] = await sign(a);
    expect(
      await verifyExport([...lines, JSON.stringify({ checkpoint: note })], [VERIFIER], []),
    ).toMatchObject({
      events: size,
      checkpoints: [1307],
    });
    expect(await keeping.verify.execute(a)).toMatchObject({ valid: true, checked: 1307 });
    await append(a, 1);
    expect(await keeping.verify.execute(a)).toMatchObject({ valid: true, checked: 1308 });
    expect((await keeping.prove.inclusion(a, 1307, 1307)).hashes.length).toBeGreaterThan(0);
  });

  it('not where an event is not as it was written: its period stays for whoever looks into it; a neighbour is stored', async () => {
    const [a, b] = await twoLogs();
    await db.superuser.query(`UPDATE audit.events SET event = 'forged' WHERE tenant = $1 AND seq = 12`, [
      a.id,
    ]);
    expect(await keeping.round()).toEqual([]);
    expect(await hotEvents(a)).toHaveLength(650);
    expect(await coldKeys(a)).toEqual([]);
    expect(await coldKeys(b)).toHaveLength(1);
    expect(await keeping.verify.execute(a)).toMatchObject({ finding: { kind: 'event_altered', seq: 12 } });
  });
});

describe('a process that dies while it stores logs', () => {
  const died = (): never => {
    throw new Error('killed');
  };

  it('leaves nothing lost, wherever it was: the next goes on, and each event is once where it belongs', async () => {
    const [a, b] = await twoLogs();
    const whole = await keeping.exported(a);
    // Before each object; when an object does not read back; before the period is published; before the table is dropped.
    for (const die of [
      () => (store.beforePut = (key) => key.includes('/cold/') && died()),
      () => (store.beforePut = (key) => key.includes(`${b.id}/audit/cold/`) && died()),
    ]) {
      die();
      expect(await keeping.round()).toEqual([]);
      expect(await keeping.exported(a)).toEqual(whole);
      expect(await keeping.verify.execute(a)).toMatchObject({ valid: true, checked: 650 });
    }
    store.beforePut = () => undefined;
    await db.superuser.query(
      'CREATE TABLE hindrance AS SELECT 1; CREATE VIEW audit.blocks AS SELECT * FROM audit.events_1',
    );
    await expect(keeping.round()).rejects.toThrow('depend');
    expect(await keeping.exported(a)).toEqual(whole);
    expect(await keeping.verify.execute(a)).toMatchObject({ valid: true, checked: 650 });
    await db.superuser.query('DROP VIEW audit.blocks');
    expect(await keeping.round()).toEqual([1]);
    expect(await keeping.exported(a)).toEqual(whole);
    expect(await coldKeys(a)).toHaveLength(1);
  });

  it('and a store that gives back something else than was put keeps the events where they are', async () => {
    const [a] = await twoLogs();
    const get = store.get.bind(store);
    store.get = async (key) => {
      const body = await get(key);
      return key.includes('/cold/') ? Buffer.concat([body ?? Buffer.alloc(0), Buffer.from('x')]) : body;
    };
    expect(await keeping.round()).toEqual([]);
    expect(await hotEvents(a)).toHaveLength(650);
    store.get = get;
    expect(await keeping.round()).toEqual([1]);
  });

  it('and two processes at once: one does it, the other passes', async () => {
    await twoLogs();
    const other = logKeeping(db, store);
    const rounds = await Promise.all([keeping.round(), other.round()]);
    expect(rounds.map((round) => JSON.stringify(round)).sort()).toEqual([JSON.stringify([1]), undefined]);
  });
});

describe('a cold log that was tampered with', () => {
  it('shows which event, whatever was done to its object', async () => {
    const [a, b] = await twoLogs();
    await keeping.round();
    const [key = ''] = await coldKeys(a);
    const [other = ''] = await coldKeys(b);
    const object = store.stored.get(key) ?? Buffer.alloc(0);
    const { packed, unpacked } = await import('../../src/audit/stored-event.js');
    const events = await unpacked(object);
    const finding = async () => (await keeping.verify.execute(a)).finding;
    const as = async (body: Buffer | undefined) => {
      if (body) store.stored.set(key, body);
      else store.stored.delete(key);
      return finding();
    };
    const forged = { ...(events[41] as (typeof events)[0]), event: Buffer.from('forged') };
    expect(await as(await packed(events.with(41, forged)))).toMatchObject({ kind: 'event_altered', seq: 42 });
    expect(await as(await packed(events.toSpliced(41, 1)))).toMatchObject({ kind: 'event_missing', seq: 42 });
    expect(await as(await packed(events.slice(0, 41)))).toMatchObject({ kind: 'event_missing', seq: 42 });
    expect(await as(await packed([...events.slice(0, 42), ...events.slice(41)]))).toMatchObject({
      kind: 'event_inserted',
      seq: 43,
    });
    expect(await as(store.stored.get(other))).toMatchObject({ kind: 'event_altered', seq: 1 });
    expect(await as(object.subarray(0, 500))).toMatchObject({ kind: 'event_altered', seq: 1 });
    expect(await as(undefined)).toMatchObject({ kind: 'event_missing', seq: 1 });
    await expect(keeping.exported(a)).rejects.toThrow('not what was stored');
    expect(await as(object)).toBeUndefined();
    expect((await keeping.verify.execute(b)).valid).toBe(true);
  });
});
