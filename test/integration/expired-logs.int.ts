import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { setTimeout as sleep } from 'node:timers/promises';
import { EMPTY_CHAIN, EXPIRED, expiryOf } from '@waxell/transparency';
import { verifyExport } from '../../libs/cli/src/verify-export.js';
import { canonicalEvent, newEventId } from '../../src/audit/audit-event.js';
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
    expect(await keeping.verify.execute(a)).toMatchObject({ valid: true, checked: 351, first: 301 });
    expect(await keeping.verify.execute(b)).toMatchObject({ valid: true, checked: 12, first: 1 });
    const lines = await keeping.exported(a);
    expect(lines).toHaveLength(353);
    expect(await verifyExport(lines, [VERIFIER], [kept.note])).toEqual({
      events: 351,
      checkpoints: [650, 651],
      begins: { after: 300, vouchedBy: 651, unheld: [] },
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
  it('stays where a hold, or a longer time, is set after the round has read that there is none', async () => {
    const [a, b] = await twoAgedLogs(db, keeping);
    await keeping.round();
    for (const { id, region, cell } of [a, b])
      await db.superuser.query(
        `INSERT INTO control.tenants (id, slug, name, region, cell, status) VALUES ($1, $2, 'x', $3, $4, 'active')`,
        [id, id.replace('_', '-'), region, cell],
      );
    await db.superuser.query(`UPDATE audit.cold SET appended_before = now() - interval '400 days'`);
    for (const key of [...(await coldKeysOf(store, a)), ...(await coldKeysOf(store, b))]) store.unlock(key);
    const ofCell = keeping.policy.ofCell.bind(keeping.policy);
    keeping.policy.ofCell = async (cell) => {
      const read = await ofCell(cell);
      await db.superuser.query(
        `INSERT INTO control.log_retention (tenant, held_since, held_by, held_reason) VALUES ($1, now(), 'owner', '')`,
        [a.id],
      );
      await db.superuser.query('INSERT INTO control.log_retention (tenant, cold_days) VALUES ($1, 500)', [
        b.id,
      ]);
      return read;
    };
    await keeping.round();
    expect(await coldKeysOf(store, a)).toHaveLength(1);
    expect(await coldKeysOf(store, b)).toHaveLength(1);
    keeping.policy.ofCell = ofCell;
    // One that is about to be set waits for the deletion of an object, and holds what is left.
    await db.superuser.query('DELETE FROM control.log_retention');
    let held: Promise<unknown> | undefined;
    let waited = false;
    const remove = store.delete.bind(store);
    store.delete = async (key) => {
      if (key.includes(a.id))
        held ??= db.superuser
          .query('SELECT 1 FROM control.tenants WHERE id = $1 FOR UPDATE', [a.id])
          .then(() => (waited = !store.stored.has(key)));
      await sleep(100);
      await remove(key);
    };
    await keeping.round();
    await held;
    expect(waited).toBe(true);
    expect(await coldKeysOf(store, a)).toEqual([]);
  });
  it('does not begin later because somebody wrote that the time of its beginning was over', async () => {
    const [a, b] = await twoAgedLogs(db, keeping);
    await keeping.round();
    await db.superuser.query('UPDATE audit.cold SET expired_at = now() WHERE tenant = $1', [a.id]);
    const online = { valid: false, finding: { kind: 'event_missing', seq: 1 } };
    expect(await keeping.verify.execute(a)).toMatchObject(online);
    const offline = { kind: 'beginning_missing', seq: 1 };
    expect((await verifyExport(await keeping.exported(a), [VERIFIER], [])).finding).toMatchObject(offline);
    // Nor where it names an event of the log that says something else, or one that will never be.
    for (const seq of [400, 1_000]) {
      await db.superuser.query('UPDATE audit.cold SET vouched_by = $2 WHERE tenant = $1', [a.id, seq]);
      expect(await keeping.verify.execute(a)).toMatchObject(online);
    }
    // Nor where the organisation's own SQL says so.
    const { rows } = await db.superuser.query<{ chain_hash: Buffer; frontier: Buffer }>(
      'SELECT chain_hash, frontier FROM audit.cold WHERE tenant = $1',
      [a.id],
    );
    const { chain_hash: chain, frontier } = rows[0] ?? { chain_hash: EMPTY_CHAIN, frontier: EMPTY_CHAIN };
    const changes = expiryOf(1, { seq: 300, chain, frontier });
    const actor = { type: 'system', id: 'retention' } as const;
    const said = { action: EXPIRED, actor, outcome: 'success', changes } as const;
    await db.database.within(a, () =>
      db.transactions.run(() =>
        db.database.query({
          text: 'INSERT INTO audit.outbox (event) VALUES ($1)',
          values: [canonicalEvent(newEventId(), a, said, undefined).bytes],
        }),
      ),
    );
    expect((await verifyExport(await keeping.exported(a), [VERIFIER], [])).finding).toMatchObject(offline);
    await db.superuser.query('UPDATE audit.cold SET vouched_by = 651 WHERE tenant = $1', [a.id]);
    expect(await keeping.verify.execute(a)).toMatchObject(online);
    expect(await keeping.verify.execute(b)).toMatchObject({ valid: true, checked: 12, first: 1 });
  });
  it('cannot be said to be over its time by who stores it', async () => {
    const columns = 'tenant, first, last, bytes, sha256, chain_hash, frontier, leaves, appended_before';
    for (const column of ['published', 'expired_at', 'vouched_by'])
      await expect(
        db.cells.home.audit.query(
          `INSERT INTO audit.cold (${columns}, ${column})
           VALUES ('t_0', 1, 1, 1, '', '', '', '', now(), ${{ published: 'true', expired_at: 'now()' }[column] ?? '1'})`,
        ),
      ).rejects.toThrow('permission denied');
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
