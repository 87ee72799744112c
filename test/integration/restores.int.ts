import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Operation, Step } from '../../src/operations/index.js';
import type { TenantRef } from '../../src/platform/database/index.js';
import { LoadRestore } from '../../src/retention/load-restore.js';
import { Restores } from '../../src/retention/restores.js';
import type { RestoreDto } from '../../src/retention/restores.dto.js';
import { appendEvents, endPeriod, logKeeping, type LogKeeping } from '../support/cold-logs.js';
import { searchOf } from '../support/log-parts.js';
import { MemoryObjects } from '../support/memory-objects.js';
import { openTestDatabase, type TestDatabase } from '../support/test-database.js';

let db: TestDatabase;
let store: MemoryObjects;
let keeping: LogKeeping;
let a: TenantRef;
let b: TenantRef;
let restores: Restores;
let load: Step;
let begun: Pick<Operation, 'tenant' | 'data'>[];
let recorded: unknown[];

beforeEach(async () => {
  db = await openTestDatabase();
  store = new MemoryObjects();
  keeping = logKeeping(db, store);
  [a, b] = [await db.newTenant(), await db.newTenant()];
  for (const period of [1, 2]) {
    for (const tenant of [a, b]) await appendEvents(keeping.log, tenant, period * 150);
    await endPeriod(db, 91);
  }
  for (const tenant of [a, b]) {
    await appendEvents(keeping.log, tenant, 10);
    await keeping.prove.current(tenant);
  }
  await keeping.round();
  [begun, recorded] = [[], []];
  const { cells } = db;
  const work = {
    bookkeeping: (_reason: string, _id: string, change: (registry: never) => unknown) => change({} as never),
  };
  const operations = {
    start: (_registry: never, operation: Pick<Operation, 'tenant' | 'data'>) => begun.push(operation),
  };
  const runner = {
    nudge: () => undefined,
    register: (_kind: string, steps: Record<string, Step>) => (load = steps['load'] as Step),
  };
  const tenants = { current: (id: string) => Promise.resolve([a, b].find((tenant) => tenant.id === id)) };
  const events = { record: (_tenant: TenantRef, event: unknown) => Promise.resolve(recorded.push(event)) };
  restores = new Restores(cells, keeping.cold, work as never, operations as never, runner as never);
  new LoadRestore(runner as never, tenants as never, cells, keeping.cold, events as never).onModuleInit();
});
afterEach(() => db.close());

/** Does what a process does with the operation, one step after the other. */
async function carriedOut(): Promise<number> {
  const operation = begun.shift() as Operation;
  for (let steps = 1; ; steps += 1)
    if ((await load(operation, new AbortController().signal)) === 'done') return steps;
}
const search = (tenant: TenantRef, query: object) =>
  searchOf(db.cells, keeping.log, keeping.cold).execute(tenant, { limit: 50, ...query });
const statusOf = async (tenant: TenantRef, { id }: RestoreDto): Promise<RestoreDto | undefined> =>
  (await restores.list(tenant)).items.find((item) => item.id === id);

describe('a range of a cold log that is loaded', () => {
  it('can be searched by its own organisation, over several objects, as if it were in the database', async () => {
    expect((await search(a, {})).from).toBe(451);
    const restore = await restores.create(a, { from: 140, to: 160 });
    expect(restore).toMatchObject({ from: 140, to: 160, status: 'LOADING' });
    await expect(search(a, { restore: restore.id })).rejects.toMatchObject({ code: 'RESTORE_NOT_READY' });
    expect(await carriedOut()).toBe(3);
    expect(await statusOf(a, restore)).toMatchObject({ status: 'READY' });
    const first = await search(a, {
      restore: restore.id,
      limit: 15,
      action: 'agent.read',
      actor: 'somebody',
    });
    expect(first.from).toBe(140);
    const rest = await search(a, { restore: restore.id, limit: 15, cursor: first.nextCursor });
    expect([...first.items, ...rest.items].map(({ seq }) => seq)).toEqual(
      Array.from({ length: 21 }, (_, at) => 160 - at),
    );
    const exported = (await keeping.exported(a))
      .slice(139, 160)
      .map((line) => JSON.parse(line) as { chain: string });
    expect([...first.items, ...rest.items].toReversed().map(({ chainHash }) => chainHash)).toEqual(
      exported.map(({ chain }) => Buffer.from(chain, 'base64').toString('hex')),
    );
    expect((await search(a, { restore: restore.id, action: 'agent.created' })).items).toEqual([]);
    expect(recorded).toMatchObject([{ action: 'audit_restore.loaded', changes: { events: 21 } }]);
    await expect(search(b, { restore: restore.id })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect((await restores.list(b)).items).toEqual([]);
  });

  it('is of cold events only, bounded, and not one of too many', async () => {
    for (const [from, to, pointer] of [
      [440, 451, '/to'],
      [20, 10, '/to'],
      [1, 100_001, '/to'],
    ] as const)
      await expect(restores.create(a, { from, to })).rejects.toMatchObject({
        errors: expect.arrayContaining([expect.objectContaining({ pointer })]) as unknown,
      });
    for (let at = 0; at < 5; at += 1) await restores.create(a, { from: 1, to: 2 });
    await expect(restores.create(a, { from: 1, to: 2 })).rejects.toMatchObject({ code: 'TOO_MANY_RESTORES' });
    await restores.create(b, { from: 1, to: 2 });
  });

  it('goes on after a step that was killed when it had done its work, and expires', async () => {
    const restore = await restores.create(a, { from: 1, to: 450 });
    await load(begun[0] as Operation, new AbortController().signal);
    await load(begun[0] as Operation, new AbortController().signal);
    await carriedOut();
    expect((await search(a, { restore: restore.id, limit: 200 })).items).toHaveLength(200);
    await db.superuser.query('UPDATE audit.restores SET expires_at = now()');
    await expect(search(a, { restore: restore.id })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await keeping.round();
    const { rows } = await db.superuser.query('SELECT count(*)::int AS left FROM audit.restored');
    expect(rows).toEqual([{ left: 0 }]);
    expect(await keeping.verify.execute(a)).toMatchObject({ valid: true, checked: 460 });
  });

  it.each([
    [
      'an event that says something else',
      `UPDATE audit.restored SET event = $2 WHERE restore = $1 AND seq = 147`,
      147,
    ],
    [
      'another link',
      `UPDATE audit.restored SET chain_hash = sha256($2) WHERE restore = $1 AND seq = 141`,
      141,
    ],
    [
      'another action beside the event',
      `UPDATE audit.restored SET action = convert_from($2, 'UTF8') WHERE restore = $1 AND seq = 155`,
      155,
    ],
    [
      'another actor beside the event',
      `UPDATE audit.restored SET actor = convert_from($2, 'UTF8') WHERE restore = $1 AND seq = 155`,
      155,
    ],
    [
      'another time beside the event',
      `UPDATE audit.restored SET at = at + octet_length($2) * interval '1 second' WHERE restore = $1 AND seq = 156`,
      156,
    ],
    [
      'an event that is missing',
      `DELETE FROM audit.restored WHERE restore = $1 AND seq = 151 AND $2::bytea IS NOT NULL`,
      151,
    ],
    [
      'an event beyond the range',
      `INSERT INTO audit.restored SELECT restore, 161, at, action, actor, $2, chain_hash FROM audit.restored WHERE restore = $1 AND seq = 160`,
      161,
    ],
  ])('is found out by verifying where somebody has put there %s', async (_what, tamper, seq) => {
    const restore = await restores.create(a, { from: 140, to: 160 });
    await restores.create(b, { from: 140, to: 160 });
    await carriedOut();
    await carriedOut();
    expect(await keeping.verify.execute(a)).toMatchObject({ valid: true, checked: 460 });
    await db.superuser.query(tamper, [restore.id, Buffer.from('agent.deleted')]);
    const { valid, finding } = await keeping.verify.execute(a);
    expect({ valid, kind: finding?.kind, seq: finding?.seq }).toEqual({
      valid: false,
      kind: 'event_altered',
      seq,
    });
    expect(finding?.message).toContain('as it was restored for searching');
    expect(await keeping.verify.execute(b)).toMatchObject({ valid: true });
  });

  it('is refused where its object was tampered with, consistently or not', async () => {
    const [first = '', second = ''] = await store.list(`tenants/${a.id}/audit/cold/`, { limit: 9 });
    const original = store.stored.get(second) ?? Buffer.alloc(0);
    for (const forged of [Buffer.from('x'), store.stored.get(first) ?? Buffer.alloc(0)]) {
      store.stored.set(second, forged);
      // Whoever changes the object may change its digest beside it.
      await db.superuser.query('UPDATE audit.cold SET sha256 = sha256($3) WHERE tenant = $1 AND first = $2', [
        a.id,
        151,
        forged,
      ]);
      const restore = await restores.create(a, { from: 150, to: 152 });
      await expect(carriedOut()).rejects.toThrow(/cannot be read|is not what was logged/);
      await expect(search(a, { restore: restore.id })).rejects.toMatchObject({ code: 'RESTORE_NOT_READY' });
    }
    expect((await restores.list(a)).items.at(0)).toMatchObject({
      status: 'FAILED',
      error: 'Event 151, in cold storage, is not what was logged.',
    });
    expect(original.length).toBeGreaterThan(0);
  });
});
