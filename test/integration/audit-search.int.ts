import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  canonicalEvent,
  newEventId,
  parseEvent,
  type EventBody,
  type Outcome,
} from '../../src/audit/audit-event.js';
import type { AuditQuery } from '../../src/audit/audit.dto.js';
import { AuditLog } from '../../src/audit/audit-log.js';
import { CloseLog } from '../../src/audit/close-log.js';
import { FindEvents } from '../../src/audit/find-events.js';
import { IndexLog } from '../../src/audit/index-log.js';
import { BLOCK, PostingBlock } from '../../src/audit/posting-block.js';
import { Postings } from '../../src/audit/postings.js';
import { searchValues } from '../../src/audit/search-terms.js';
import { LogPeriods, TenantErasure, type TenantRef } from '../../src/platform/database/index.js';
import { indexerOf, searchOf } from '../support/log-parts.js';
import { connectAs, openTestDatabase, type TestDatabase } from '../support/test-database.js';

const HOUR = 3_600_000;
const BEGUN = Date.parse('2026-03-01T00:00:00Z');
const ACTIONS = ['agent.read', 'agent.created', 'run.created', 'session.created', 'user.updated'] as const;
const OUTCOMES = ['success', 'success', 'success', 'denied', 'failure'] as const;
/** Identifiers as they are, and as only a tenant's own SQL could make them. */
const ODD = ['a "quoted" one', 'back\\slash', 'zürich-✓', 'x'];

/** An event as a plain list has it. */
interface Known {
  readonly seq: number;
  readonly body: EventBody;
}

let db: TestDatabase;
let log: AuditLog;
let a: TenantRef;
let b: TenantRef;
const known = new Map<string, Known[]>();

beforeAll(async () => {
  db = await openTestDatabase();
  log = new AuditLog(db.cells);
  [a, b] = [await db.newTenant(), await db.newTenant()];
  for (const [tenant, blocks] of [
    [a, 2],
    [b, 1],
  ] as const) {
    await appendMany(tenant, blocks * BLOCK - 1_000);
    await new LogPeriods(db.cells.home).keep(0);
    await appendMany(tenant, 1_300);
  }
}, 120_000);
afterAll(() => db.close());

function eventAt(tenant: TenantRef, at: number) {
  const pick = <T>(of: readonly T[], by: number): T => of[(at * by) % of.length] as T;
  const type = pick(['agent', 'run', 'user'], 7);
  const { bytes, search } = canonicalEvent(
    newEventId(),
    tenant,
    {
      action: pick(ACTIONS, 3),
      actor: { type: 'user', id: pick(['bob', 'eve', ...ODD], 5) },
      outcome: pick<Outcome>(OUTCOMES, 11),
      ...(at % 3 > 0 && { resource: { type, id: at % 7 === 0 ? pick(ODD, at) : `${type}-${at % 900}` } }),
      ...(at % 4 > 0 && {
        request: { id: `request-${Math.floor(at / 2)}`, method: 'GET', path: '/v1/agents/{id}' },
      }),
    },
    undefined,
  );
  // Clocks of several processes differ: what is said is in no order.
  const when = `${new Date(BEGUN + at * 1_000 + ((at * 7_919) % HOUR)).toISOString().slice(0, -1)}000Z`;
  const moved = Buffer.from(JSON.stringify({ ...parseEvent(bytes), at: when }));
  return { bytes: moved, search: { ...search, at: when } };
}

async function appendMany(tenant: TenantRef, count: number): Promise<void> {
  const events = known.get(tenant.id) ?? [];
  known.set(tenant.id, events);
  const more = Array.from({ length: count }, (_, at) => eventAt(tenant, events.length + at));
  for (const { bytes } of more) events.push({ seq: events.length + 1, body: parseEvent(bytes) });
  await Promise.all(more.map((event) => log.append(tenant, event)));
}

function marked(tenant: TenantRef, id: string) {
  const request = { id, method: 'GET', path: '/' };
  const event = {
    action: 'agent.read',
    actor: { type: 'user', id: 'x' },
    outcome: 'success',
    request,
  } as const;
  return canonicalEvent(newEventId(), tenant, event, undefined);
}

async function completed(indexer: IndexLog, tenant: TenantRef): Promise<void> {
  while (await indexer.complete(tenant, known.get(tenant.id)?.length ?? 0));
}

async function indexedBlocks(tenant: TenantRef): Promise<number[]> {
  const { rows } = await db.superuser.query<{ block: number }>(
    'SELECT block FROM audit.indexed WHERE tenant = $1 ORDER BY block',
    [tenant.id],
  );
  return rows.map(({ block }) => block);
}

/** The numbers of all that is found, page by page. */
async function found(tenant: TenantRef, query: Partial<AuditQuery>): Promise<number[]> {
  const numbers: number[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await searchOf(db.cells, log).execute(tenant, {
      limit: 200,
      ...query,
      ...(cursor !== undefined && { cursor }),
    });
    numbers.push(...page.items.map(({ seq }) => seq));
    if (page.nextCursor === undefined) return numbers;
    cursor = page.nextCursor;
  }
}

/** What a plain look at all events finds. */
function expected(tenant: TenantRef, query: Partial<AuditQuery>): number[] {
  const is = (asked: string | undefined, value: string | undefined) => asked === undefined || asked === value;
  return (known.get(tenant.id) ?? [])
    .filter(
      ({ body }) =>
        is(query.action, body.action) &&
        is(query.actor, body.actor.id) &&
        is(query.outcome, body.outcome) &&
        is(query.resourceType, body.resource?.type) &&
        is(query.resourceId, body.resource?.id) &&
        is(query.requestId, body.request?.id) &&
        (query.since === undefined || Date.parse(body.at) >= Date.parse(query.since)) &&
        (query.until === undefined || Date.parse(body.at) < Date.parse(query.until)),
    )
    .map(({ seq }) => seq)
    .toReversed();
}

const KINDS = ['action', 'actor', 'outcome', 'resourceType', 'resourceId', 'requestId'] as const;
/** What some event says, or nothing that any event says; and now and then from when to when. */
const FILTERS = fc.record({
  event: fc.nat(),
  kinds: fc.subarray([...KINDS], { maxLength: 4 }),
  wrong: fc.option(fc.constantFrom(...KINDS), { freq: 5 }),
  from: fc.option(fc.nat(9_000), { freq: 1 }),
  seconds: fc.option(fc.integer({ min: 1, max: 6_000 }), { freq: 1 }),
});

function filterOf(tenant: TenantRef, drawn: typeof FILTERS extends fc.Arbitrary<infer T> ? T : never) {
  const events = known.get(tenant.id) ?? [];
  const values = searchValues((events[drawn.event % events.length] as Known).body);
  const { from, seconds } = drawn;
  return {
    ...Object.fromEntries(
      drawn.kinds.flatMap((kind) => (values[kind] === undefined ? [] : [[kind, values[kind]]])),
    ),
    ...(drawn.wrong && { [drawn.wrong]: 'nothing' }),
    ...(from !== null && { since: new Date(BEGUN + from * 1_000).toISOString() }),
    ...(seconds !== null && { until: new Date(BEGUN + ((from ?? 0) + seconds) * 1_000).toISOString() }),
  } as Partial<AuditQuery>;
}

async function findsWhatThereIs(runs: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(FILTERS, fc.boolean(), async (drawn, first) => {
      const tenant = first ? a : b;
      const filter = filterOf(tenant, drawn);
      expect(await found(tenant, filter)).toEqual(expected(tenant, filter));
    }),
    { numRuns: runs },
  );
  // What is drawn may by chance be found nowhere.
  for (const tenant of [a, b]) {
    const everything = await found(tenant, {});
    expect(everything.length).toBeGreaterThan(0);
    expect(everything).toEqual(expected(tenant, {}));
  }
}

describe('searching a log', () => {
  it('finds whatever was asked for, and nothing else, before anything is indexed', async () => {
    expect(await indexedBlocks(a)).toEqual([]);
    await findsWhatThereIs(20);
  });

  it('finds the same by the index, as far as there is one', async () => {
    for (const tenant of [a, b]) await completed(indexerOf(db.cells), tenant);
    expect([await indexedBlocks(a), await indexedBlocks(b)]).toEqual([[0, 1], [0]]);
    await findsWhatThereIs(60);
  });

  it('looks for what is asked for only where the index says that it may be', async () => {
    const asked = { requestId: 'request-10' };
    expect(await found(a, asked)).toEqual(expected(a, asked));
    const { rows } = await db.superuser.query<{ n: number }>(
      `WITH gone AS (DELETE FROM audit.postings WHERE tenant = $1 AND block = 0 RETURNING 1)
       SELECT count(*)::int AS n FROM gone`,
      [a.id],
    );
    expect(rows[0]?.n).toBeGreaterThan(200);
    expect(await found(a, asked)).toEqual([]);
  });

  it('finds everything again once what is left of a lost index is taken away, and it is made anew', async () => {
    await db.superuser.query('DELETE FROM audit.indexed WHERE tenant = $1 AND block = 0', [a.id]);
    await findsWhatThereIs(10);
    await Promise.all([1, 2].map(() => completed(indexerOf(db.cells), a)));
    expect(await indexedBlocks(a)).toEqual([0, 1]);
    await findsWhatThereIs(20);
  });

  it('finds an event that was answered before, while others are appended and indexed', async () => {
    const tenant = await db.newTenant();
    const indexer = indexerOf(db.cells);
    for (let round = 0; round < 12; round += 1) {
      const events = known.get(tenant.id)?.length ?? 0;
      const [mark] = await Promise.all([
        log
          .append(tenant, marked(tenant, `mark-${round}`))
          .then(() => searchOf(db.cells, log).execute(tenant, { limit: 5, requestId: `mark-${round}` })),
        Promise.all(Array.from({ length: 400 }, (_, at) => log.append(tenant, eventAt(tenant, at + events)))),
        indexer.complete(tenant, (await log.length(tenant)) - 1),
      ]);
      expect(mark.items.map(({ request }) => request?.id)).toEqual([`mark-${round}`]);
    }
    expect(await indexedBlocks(tenant)).toEqual([0]);
  });

  it('says where to go on where it has looked at enough, and finds the rest from there', async () => {
    const find = new FindEvents(db.cells, new Postings(db.cells));
    const search = { first: 1, filter: { actor: 'nobody' }, limit: 10 } as const;
    const last = await log.length(b);
    const most = { blocks: 1, events: 100 };
    const stopped = await find.execute(b, { ...search, last }, most);
    expect(stopped.rows).toEqual([]);
    expect(stopped.unseen).toBeLessThan(last);
    expect(stopped.unseen).toBeGreaterThanOrEqual(last - BLOCK);
    let unseen: number | undefined = last;
    for (let turns = 0; unseen !== undefined; turns += 1) {
      expect(turns).toBeLessThan(10);
      ({ unseen } = await find.execute(b, { ...search, last: unseen }, most));
    }
  });

  it.each([
    ['a cursor of another list', { cursor: Buffer.from('no number').toString('base64url') }],
    ['times that end before they begin', { since: '2026-01-02T00:00:00Z', until: '2026-01-01T00:00:00Z' }],
  ])('refuses %s', async (_what, query) => {
    const searching = searchOf(db.cells, log).execute(a, { limit: 10, ...query });
    await expect(searching).rejects.toMatchObject({ kind: 'invalid' });
  });
});

describe('the index of a log', () => {
  it('is made of what its follower has read, without reading anything again', async () => {
    const tenant = await db.newTenant();
    const reader = { hot: () => Promise.reject(new Error('It was read again.')) };
    const cold = { through: () => Promise.resolve(0) };
    const indexer = new IndexLog(db.cells, reader as never, cold as never, new Postings(db.cells));
    await appendMany(tenant, BLOCK + 500);
    const events = known.get(tenant.id) ?? [];
    for (let at = 0; at < events.length; at += 700) await indexer.follow(tenant, events.slice(at, at + 700));
    expect(await indexer.complete(tenant, events.length)).toBe(false);
    expect(await indexedBlocks(tenant)).toEqual([0]);
    const asked = { resourceId: 'agent-12', outcome: 'success' };
    expect(await found(tenant, asked)).toEqual(expected(tenant, asked));
    known.delete(tenant.id);
  });

  it('leaves out a block in which an event is missing: what is there is found all the same', async () => {
    const tenant = await db.newTenant();
    await appendMany(tenant, BLOCK + 10);
    await db.superuser.query('DELETE FROM audit.events WHERE tenant = $1 AND seq = 7', [tenant.id]);
    await completed(indexerOf(db.cells), tenant);
    expect(await indexedBlocks(tenant)).toEqual([]);
    const events = (known.get(tenant.id) ?? []).filter(({ seq }) => seq !== 7);
    known.set(tenant.id, events);
    expect(await found(tenant, { actor: 'eve' })).toEqual(expected(tenant, { actor: 'eve' }));
    known.delete(tenant.id);
  });

  it('is not written for a log that is closed, and goes with it', async () => {
    const tenant = await db.newTenant();
    await appendMany(tenant, BLOCK);
    const block = new PostingBlock(0);
    for (const { body } of known.get(tenant.id) ?? []) block.add(body);
    const postings = new Postings(db.cells);
    await postings.write(tenant, block);
    const left = async () =>
      (
        await db.superuser.query<{ n: number }>(
          `SELECT (SELECT count(*) FROM audit.postings WHERE tenant = $1)::int
             + (SELECT count(*) FROM audit.indexed WHERE tenant = $1)::int AS n`,
          [tenant.id],
        )
      ).rows[0]?.n;
    expect(await left()).toBeGreaterThan(100);
    const closing = new CloseLog(log, new TenantErasure(db.cells));
    await closing.close(tenant);
    await closing.erase(tenant, new AbortController().signal);
    expect(await left()).toBe(0);
    await postings.write(tenant, block);
    expect(await left()).toBe(0);
    known.delete(tenant.id);
  });

  it('can be neither changed nor taken away by the login that writes it', async () => {
    const login = await connectAs(db.url, 'audit');
    for (const statement of [
      `UPDATE audit.postings SET entries = ''`,
      'DELETE FROM audit.postings',
      'UPDATE audit.indexed SET latest = NULL',
      'DELETE FROM audit.indexed',
      'DELETE FROM audit.delivered',
    ])
      await expect(login.query(statement)).rejects.toThrow('permission denied');
    await login.end();
  });
});
