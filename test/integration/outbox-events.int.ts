import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canonicalEvent, newEventId, type AuditEvent } from '../../src/audit/audit-event.js';
import { acceptableEvent } from '../../src/audit/acceptable-event.js';
import { AuditLog } from '../../src/audit/audit-log.js';
import { ExportLog } from '../../src/audit/export-log.js';
import { FindEvents } from '../../src/audit/find-events.js';
import { LogReader } from '../../src/audit/log-reader.js';
import { PersonalParts } from '../../src/audit/personal-parts.js';
import { Postings } from '../../src/audit/postings.js';
import { SearchLog } from '../../src/audit/search-log.js';
import type { TenantRef } from '../../src/platform/database/index.js';
import { ocsfEvent } from '../../src/siem/ocsf.js';
import { openDetecting, type Detecting } from '../support/detecting.js';
import { coldLogOf, verifierOf } from '../support/log-parts.js';
import { MemoryObjects } from '../support/memory-objects.js';

const MUTATIONS = 400;
/** An event that has every member there is. */
const FULL: AuditEvent = {
  action: 'agent.updated',
  actor: { type: 'api_key', id: 'key', userId: 'bob', sessionId: 'session', onBehalfOf: 'eve' },
  outcome: 'denied',
  resource: { type: 'agent', id: 'agent' },
  changes: { name: 'x', rule: 'y', title: 'z', list: [1, { deep: null }], count: 3 },
  request: { id: 'request', method: 'GET', path: '/v1/agents/{id}' },
  reason: 'FORBIDDEN',
  policies: ['one', 'two'],
  decision: { id: 'decision', permission: 'agent:read', resource: { type: 'agent', id: 'agent' } },
};
const ACTIONS = ['agent.updated', 'session.created', 'user.updated', 'alert.raised', 'role.granted', 'x'];

type Json = Record<string, unknown>;

const anything = fc.oneof(
  fc.constantFrom(
    null,
    true,
    5,
    -0.5,
    '',
    'x',
    {},
    [],
    { sealed: 5 },
    [[]],
    'x'.repeat(300),
    '\u0000',
    '\ud800',
  ),
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom(30, 31, 40, 500).map(nested),
);
/** Something of an event, at some place in it, is something else, or gone, or more than there should be. */
const mutation = fc.record({
  action: fc.constantFrom(...ACTIONS),
  path: fc.array(fc.nat(20), { minLength: 1, maxLength: 3 }),
  how: fc.constantFrom('replace', 'replace', 'replace', 'remove', 'add'),
  value: anything,
});

function nested(depth: number): unknown {
  let value: unknown = 'x';
  for (let at = 0; at < depth; at += 1) value = { value };
  return value;
}

let test: Detecting;
let log: AuditLog;
let a: TenantRef;
let b: TenantRef;

beforeAll(async () => {
  test = await openDetecting();
  log = new AuditLog(test.db.cells);
  [a, b] = [await test.newTenant(), await test.newTenant()];
});
afterAll(() => test.close());

/** With parts that are sealed as they should be, or by nobody. */
function mutated({
  action,
  path,
  how,
  value,
}: typeof mutation extends fc.Arbitrary<infer M> ? M : never): string {
  const client = { id: newEventId(), sealed: Buffer.alloc(200, 1).toString('base64') };
  const made = canonicalEvent(
    newEventId(),
    a,
    { ...FULL, action } as AuditEvent,
    Buffer.alloc(90, 1),
    client,
  );
  const event = JSON.parse(made.bytes.toString()) as Json;
  let place = event;
  for (const [depth, at] of path.entries()) {
    const keys = Object.keys(place);
    const key = keys[at % keys.length] ?? 'more';
    const next = place[key];
    if (depth < path.length - 1 && typeof next === 'object' && next !== null) place = next as Json;
    else if (how === 'remove') delete place[key];
    else place[how === 'add' ? 'more' : key] = structuredClone(value);
  }
  return JSON.stringify(event);
}

describe('whatever an organisation’s own SQL puts into the outbox', () => {
  it('is an event that every reader takes, or is told of as none; the log, and a neighbour’s, are whole', async () => {
    const texts = [
      ...fc.sample(mutation, MUTATIONS).map(mutated),
      // Members twice, of which readers of other languages may take the first.
      mutated({ action: 'x', path: [0], how: 'add', value: 1 }).replace('"v":1,', '"v":1,"v":1,'),
      ...['"client":{}', '"client":null', '"sealed":5', '"policies":5', '"policies":[5]'].map((member) =>
        canonicalEvent(newEventId(), a, FULL, undefined).bytes.toString().replace(/\}$/, `,${member}}`),
      ),
    ];
    const accepted = texts.filter((text) => acceptableEvent(Buffer.from(text), a.id));
    expect(accepted.length).toBeGreaterThan(10);
    expect(accepted.length).toBeLessThan(texts.length - 50);
    for (const text of texts)
      await test.db.superuser.query('INSERT INTO audit.outbox (tenant, event) VALUES ($1, $2)', [
        a.id,
        Buffer.from(text),
      ]);
    const own = canonicalEvent(newEventId(), b, FULL, undefined).bytes;
    await test.db.superuser.query('INSERT INTO audit.outbox (tenant, event) VALUES ($1, $2)', [b.id, own]);
    await log.drainOutbox(a.cell);

    const cells = test.db.cells;
    const cold = coldLogOf(cells, new MemoryObjects());
    const personal = new PersonalParts(test.encryption);
    const search = new SearchLog(cells, log, personal, cold, new FindEvents(cells, new Postings(cells)));
    const found: string[] = [];
    for (let cursor: string | undefined; ;) {
      const page = await search.execute(a, {
        limit: 100,
        ...(cursor !== undefined && { cursor }),
      });
      found.push(...page.items.map(({ action }) => action));
      cursor = page.nextCursor ?? undefined;
      if (cursor === undefined) break;
    }
    expect(found).toHaveLength(texts.length);
    const rejected = found.filter((action) => action === 'audit.event_rejected');
    expect(rejected.length).toBeGreaterThanOrEqual(texts.length - accepted.length);
    const exported = new ExportLog(new LogReader(cells, cold), log, personal);
    let last = 0;
    for (
      let events;
      (events = await exported.after(a, last, 1_000_000)).length > 0;
      last = events.at(-1)?.seq ?? 0
    )
      for (const event of events)
        expect(JSON.stringify(ocsfEvent(event, { personalData: true }))).toContain(a.id);
    expect(last).toBe(texts.length);
    await test.follow();
    const { rows } = await test.db.superuser.query<{ seq: string }>(
      'SELECT seq FROM audit.looked_at WHERE tenant = $1',
      [a.id],
    );
    expect(Number(rows[0]?.seq)).toBeGreaterThanOrEqual(last);
    expect(await verifierOf(cells, log).execute(a)).toMatchObject({ valid: true });
    expect(await verifierOf(cells, log).execute(b)).toMatchObject({ valid: true, checked: 1 });
  });
});
