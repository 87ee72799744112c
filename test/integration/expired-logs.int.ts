import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { verifyExport } from '../../libs/cli/src/verify-export.js';
import type { TenantRef } from '../../src/platform/database/index.js';
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

let db: TestDatabase;
let store: MemoryObjects;
let keeping: LogKeeping;

beforeEach(async () => {
  db = await openTestDatabase();
  store = new MemoryObjects();
  keeping = logKeeping(db, store);
});
afterEach(() => db.close());

describe('a cold log whose time is over', () => {
  it('goes from its beginning; the rest is verified from where that ended, and nothing held or kept longer goes', async () => {
    const [a, b] = await twoAgedLogs(db, keeping);
    await keeping.round();
    const kept = await keeping.prove.current(a);
    await db.superuser.query(
      `INSERT INTO control.tenants (id, slug, name, region, cell, status) VALUES ($1, 'held', 'x', $2, $3, 'active')`,
      [b.id, b.region, b.cell],
    );
    await db.superuser.query(
      `INSERT INTO control.log_retention (tenant, held_since, held_by, held_reason) VALUES ($1, now(), 'owner', '')`,
      [b.id],
    );
    const later = async (days: number): Promise<void> => {
      await db.superuser.query('UPDATE audit.cold SET appended_before = now() - make_interval(days => $1)', [
        days,
      ]);
      await keeping.round();
    };
    await later(364);
    expect(await coldKeysOf(store, a)).toHaveLength(1);
    await later(366);
    // Locked until its own time, whatever the database's clock says.
    expect(await coldKeysOf(store, a)).toHaveLength(1);
    const [key = ''] = await coldKeysOf(store, a);
    store.unlock(key);
    await later(366);
    expect(await coldKeysOf(store, a)).toEqual([]);
    expect(await coldKeysOf(store, b)).toHaveLength(1);
    expect(await keeping.verify.execute(a)).toMatchObject({ valid: true, checked: 350, first: 301 });
    expect(await keeping.verify.execute(b)).toMatchObject({ valid: true, checked: 12, first: 1 });
    const lines = await keeping.exported(a);
    expect(lines).toHaveLength(352);
    expect(await verifyExport(lines, [VERIFIER], [kept.note])).toEqual({
      events: 350,
      checkpoints: [650, 650],
    });
    expect((await store.locks.of((await coldKeysOf(store, b))[0] ?? '')).legalHold).toBe(true);
    // A store that knows no locks is not what keeps it.
    const [held = ''] = await coldKeysOf(store, b);
    store.unlock(held);
    await store.locks.hold(held, false);
    await later(366);
    expect(await coldKeysOf(store, b)).toHaveLength(1);
    await db.superuser.query('DELETE FROM control.log_retention');
    for (const held of await coldKeysOf(store, b)) store.unlock(held);
    await later(366);
    expect(await coldKeysOf(store, b)).toEqual([]);
  });
  it('and one whose object is gone holds up neither its neighbours nor what is to be stored', async () => {
    const [a, b] = [await db.newTenant(), await db.newTenant()].sort((x, y) => x.id.localeCompare(y.id)) as [
      TenantRef,
      TenantRef,
    ];
    await Promise.all([appendEvents(keeping.log, a, 3), appendEvents(keeping.log, b, 3)]);
    await endPeriod(db, 91);
    await Promise.all([appendEvents(keeping.log, a, 2), appendEvents(keeping.log, b, 2)]);
    await signLogs(keeping, a, b);
    await keeping.round();
    for (const { id, region, cell } of [a, b])
      await db.superuser.query(
        `INSERT INTO control.tenants (id, slug, name, region, cell, status) VALUES ($1, $2, 'x', $3, $4, 'active')`,
        [id, id.replace('_', '-'), region, cell],
      );
    await db.superuser.query(
      'INSERT INTO control.log_retention (tenant, cold_days) SELECT unnest($1::text[]), 500',
      [[a.id, b.id]],
    );
    const [gone = ''] = await coldKeysOf(store, a);
    const object = store.stored.get(gone) ?? Buffer.alloc(0);
    store.stored.delete(gone);
    await endPeriod(db, 91);
    expect(await keeping.round()).toEqual([2]);
    const lockedUntil = async (tenant: TenantRef): Promise<number> =>
      (await store.locks.of((await coldKeysOf(store, tenant))[0] ?? '')).retainUntil?.getTime() ?? 0;
    expect(await lockedUntil(b)).toBeGreaterThan(inDays(500 - 92).getTime());
    store.stored.set(gone, object);
    await keeping.round();
    expect(await lockedUntil(a)).toBeGreaterThan(inDays(500 - 92).getTime());
  });
});
