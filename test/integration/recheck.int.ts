import { afterAll, beforeEach, expect, it } from 'vitest';
import { PLATFORM_TENANT, type TenantRef } from '../../src/platform/database/index.js';
import { openDetecting, type Detecting } from '../support/detecting.js';

const EVENTS = 12;
const PIECE = 5;
let test: Detecting;
let platform: TenantRef;
let acme: TenantRef;
let globex: TenantRef;

beforeEach(async () => {
  await test?.close();
  test = await openDetecting();
  platform = await test.newTenant(PLATFORM_TENANT);
  [acme, globex] = [await test.newTenant(), await test.newTenant()];
  for (const tenant of [acme, globex])
    await test.record(tenant, EVENTS, {
      action: 'agent.read',
      actor: { type: 'user', id: 'somebody' },
      outcome: 'success',
    });
  await test.follow();
});
afterAll(() => test.close());

const altered = (text: string, ...values: unknown[]) => test.db.superuser.query(text, [acme.id, ...values]);
/** Nobody asks for anything; each piece is another process's. */
async function advance(pieces: number): Promise<void> {
  for (let at = 0; at < pieces; at += 1) await test.recheck(PIECE);
  await test.follow();
}
const broken = async (tenant: TenantRef): Promise<object[]> =>
  (await test.alerts(tenant)).filter(({ rule }) => rule === 'audit.chain');
const place = async (tenant: TenantRef): Promise<unknown> =>
  (await test.db.superuser.query('SELECT seq FROM audit.rechecked WHERE tenant = $1', [tenant.id])).rows;

it('a log that is as it was written is verified piece by piece to its end, and its place is remembered', async () => {
  await advance(2);
  expect([await place(acme), await place(globex)]).toEqual([[{ seq: '5' }], [{ seq: '5' }]]);
  await advance(4);
  // To the end, and then from the beginning again, after a while.
  expect([await place(acme), await place(globex)]).toEqual([[{ seq: '0' }], [{ seq: '0' }]]);
  await advance(2);
  for (const tenant of [acme, globex, platform]) expect(await broken(tenant)).toEqual([]);
});

it.each([
  [
    'an event was changed',
    "UPDATE audit.events SET event = convert_to(replace(convert_from(event, 'UTF8'), 'somebody', 'somebodx'), 'UTF8') WHERE tenant = $1 AND seq = 7",
    { seq: 7, kind: 'event_altered' },
  ],
  [
    'an event is gone',
    'DELETE FROM audit.events WHERE tenant = $1 AND seq = 3',
    { seq: 3, kind: 'event_missing' },
  ],
  [
    'what an event is found by was changed',
    "UPDATE audit.events SET actor = 'another' WHERE tenant = $1 AND seq = 9",
    { seq: 9, kind: 'columns_altered' },
  ],
  [
    'the end was cut off',
    'DELETE FROM audit.events WHERE tenant = $1 AND seq > 10',
    { seq: 11, kind: 'log_truncated' },
  ],
  [
    'the head was changed',
    'UPDATE audit.heads SET frontier = set_byte(frontier, 0, get_byte(frontier, 0) # 1) WHERE tenant = $1',
    { seq: EVENTS, kind: 'head_altered' },
  ],
])(
  'where %s long after it was looked at, an alert tells so, here and to the operator',
  async (_what, text, found) => {
    await altered(text);
    await advance(8);
    expect(await broken(acme)).toMatchObject([{ severity: 'P1', status: 'open', details: found }]);
    expect(await broken(platform)).toMatchObject([{ severity: 'P1', key: acme.id, details: found }]);
    expect(await broken(globex)).toEqual([]);
  },
);
