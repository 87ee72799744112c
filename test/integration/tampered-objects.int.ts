import { gunzipSync } from 'node:zlib';
import { Frontier, openCheckpoint } from '@waxell/transparency';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verifyExport, type Verified } from '../../libs/cli/src/verify-export.js';
import { packed, unpacked, type StoredEvent } from '../../src/audit/stored-event.js';
import { appendEvents, endPeriod, logKeeping, VERIFIER, type LogKeeping } from '../support/cold-logs.js';
import { MemoryObjects } from '../support/memory-objects.js';
import { signedLog, type SignedLog } from '../support/signed-log.js';
import { openTestDatabase, type TestDatabase } from '../support/test-database.js';

/** Whether rounds of a log of checkpoints follow from one another, as whoever has nothing but their objects sees it. */
function rootsOf(bodies: readonly string[]): { rounds: number } | { broken: number } {
  const frontier = Frontier.of(Buffer.alloc(0), 0);
  let size = 0;
  for (const [at, body] of bodies.entries()) {
    const { checkpoint, covers } = JSON.parse(body) as { checkpoint: string; covers: string[] };
    for (const leaf of covers) frontier.append(Buffer.from(leaf, 'base64'));
    size += covers.length;
    try {
      const signed = openCheckpoint(checkpoint, [VERIFIER]);
      if (signed.size !== size || !signed.root.equals(frontier.root())) return { broken: at };
    } catch {
      return { broken: at };
    }
  }
  return { rounds: bodies.length };
}

describe('objects of a cold log that somebody changes', () => {
  let db: TestDatabase;
  let store: MemoryObjects;
  let keeping: LogKeeping;
  let log: SignedLog;
  let neighbour: SignedLog;
  let keys: string[];
  let rest: string[];
  const keysOf = ({ tenant }: SignedLog): Promise<string[]> =>
    store.list(`tenants/${tenant.id}/audit/cold/`, { limit: 9 });
  const linesOf = (objects: readonly (Buffer | undefined)[]): string[] =>
    objects.flatMap((object) =>
      gunzipSync(object ?? '')
        .toString('utf8')
        .split('\n')
        .slice(0, -1),
    );
  /** The objects as they are now, and the export of what follows them: all of it as files. */
  const files = (names: readonly string[]): Promise<Verified> =>
    verifyExport([...linesOf(names.map((key) => store.stored.get(key))), ...rest], [VERIFIER], log.kept);

  beforeAll(async () => {
    db = await openTestDatabase();
    store = new MemoryObjects();
    keeping = logKeeping(db, store);
    [log, neighbour] = [
      await signedLog(keeping, await db.newTenant()),
      await signedLog(keeping, await db.newTenant()),
    ];
    await endPeriod(db, 91);
    for (const { tenant } of [log, neighbour]) {
      await appendEvents(keeping.log, tenant, 30);
      await keeping.prove.current(tenant);
    }
    await endPeriod(db, 91);
    for (const { tenant } of [log, neighbour]) {
      await appendEvents(keeping.log, tenant, 10);
      await keeping.prove.current(tenant);
    }
    await keeping.round();
    keys = await keysOf(log);
    rest = await keeping.exported(log.tenant, 351);
  });

  afterAll(() => db.close());

  it('verifies from its files alone while nobody changes them', async () => {
    expect(keys).toHaveLength(2);
    expect(await files(keys)).toMatchObject({ events: 360, checkpoints: [10, 300, 360] });
  });

  it.each<[string, { kind: string; seq?: number }, (events: StoredEvent[]) => Promise<Buffer | undefined>]>([
    [
      'an event is altered',
      { kind: 'event_altered', seq: 17 },
      (events) => packed(events.with(16, { ...(events[16] as StoredEvent), event: Buffer.from('{}') })),
    ],
    [
      'an event is taken out',
      { kind: 'event_missing', seq: 17 },
      (events) => packed(events.toSpliced(16, 1)),
    ],
    [
      'an event is put in',
      { kind: 'event_inserted', seq: 18 },
      (events) => packed(events.toSpliced(17, 0, events[16] as StoredEvent)),
    ],
    [
      'events change places',
      { kind: 'event_missing', seq: 17 },
      (events) => packed(events.with(16, events[17] as StoredEvent).with(17, events[16] as StoredEvent)),
    ],
    ['its end is cut off', { kind: 'event_missing', seq: 201 }, (events) => packed(events.slice(0, 200))],
    [
      'it is a neighbour’s',
      { kind: 'rewritten', seq: 1 },
      async () => store.stored.get((await keysOf(neighbour))[0] ?? ''),
    ],
  ])('shows it, and where, of an object: %s', async (_what, expected, change) => {
    const [key = ''] = keys;
    const original = store.stored.get(key) ?? Buffer.alloc(0);
    const forged = (await change(await unpacked(original))) ?? Buffer.alloc(0);
    try {
      store.stored.set(key, forged);
      expect((await files(keys)).finding).toMatchObject(expected);
      const { valid } = await keeping.verify.execute(log.tenant);
      expect(valid).toBe(false);
      // The digest that is noted beside it is altered as well.
      await db.superuser.query('UPDATE audit.cold SET sha256 = sha256($2) WHERE tenant = $1 AND first = 1', [
        log.tenant.id,
        forged,
      ]);
      expect((await keeping.verify.execute(log.tenant)).valid).toBe(false);
    } finally {
      store.stored.set(key, original);
      await db.superuser.query('UPDATE audit.cold SET sha256 = sha256($2) WHERE tenant = $1 AND first = 1', [
        log.tenant.id,
        original,
      ]);
    }
    expect((await keeping.verify.execute(log.tenant)).valid).toBe(true);
  });

  it('proves nothing by a tile that was altered, and by one that is gone', async () => {
    const key = `tenants/${log.tenant.id}/audit/tile/0/000`;
    const original = store.stored.get(key) ?? Buffer.alloc(0);
    const forged = Buffer.from(original);
    forged.writeUInt8(forged.readUInt8(40) ^ 1, 40);
    for (const tile of [forged, original.subarray(0, 320), undefined]) {
      if (tile) store.stored.set(key, tile);
      else store.stored.delete(key);
      await expect(keeping.prove.inclusion(log.tenant, 2, 360)).rejects.toThrow('tile');
      await expect(keeping.prove.inclusion(neighbour.tenant, 2, 360)).resolves.toMatchObject({ seq: 2 });
    }
    store.stored.set(key, original);
    await expect(keeping.prove.inclusion(log.tenant, 2, 360)).resolves.toMatchObject({ seq: 2 });
  });

  it('shows what was altered of the objects of the log of checkpoints', async () => {
    const named = await store.list('audit/roots/checkpoint/', { limit: 100 });
    const bodies = named.map((key) => store.stored.get(key)?.toString() ?? '');
    expect(rootsOf(bodies)).toEqual({ rounds: named.length });
    const [first = '', second = ''] = bodies;
    expect(rootsOf(bodies.slice(1))).toMatchObject({ broken: 0 });
    expect(rootsOf(bodies.with(0, second).with(1, first))).toMatchObject({ broken: 0 });
    const { checkpoint, covers } = JSON.parse(first) as { checkpoint: string; covers: string[] };
    const other = { checkpoint: checkpoint.replace('roots', 'other'), covers };
    expect(rootsOf(bodies.with(0, JSON.stringify(other)))).toMatchObject({ broken: 0 });
    const taken = { checkpoint, covers: [Buffer.alloc(32).toString('base64'), ...covers.slice(1)] };
    expect(rootsOf(bodies.with(0, JSON.stringify(taken)))).toMatchObject({ broken: 0 });
  });

  it('shows an object that is missing, objects in another order, and a period whose table was dropped', async () => {
    expect((await files(keys.slice(1))).finding).toMatchObject({ kind: 'event_missing', seq: 1 });
    expect((await files(keys.toReversed())).finding).toMatchObject({ kind: 'event_missing', seq: 1 });
    const stored = await db.superuser.query<{ name: string }>(
      `SELECT tableoid::regclass::text AS name FROM audit.events WHERE tenant = $1 LIMIT 1`,
      [log.tenant.id],
    );
    await db.superuser.query(`DROP TABLE ${stored.rows[0]?.name}`);
    const lines = await keeping.exported(log.tenant);
    expect((await verifyExport(lines, [VERIFIER], log.kept)).finding).toMatchObject({
      kind: 'truncated',
      seq: 351,
    });
    expect((await keeping.verify.execute(log.tenant)).finding).toMatchObject({
      kind: 'log_truncated',
      seq: 351,
    });
  });
});
