import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { KEY_TIMES, KeyTimes } from '../../src/encryption/key-times.js';
import type { TenantRef } from '../../src/platform/database/index.js';
import { startFakeKms, type FakeKms } from '../fakes/kms.js';
import { eventually } from '../support/eventually.js';
import { clientOf, startKeyProcess, type KeyProcess } from '../support/key-process.js';
import { openTestDatabase, type TestDatabase } from '../support/test-database.js';

const MINUTE = 60_000;
const WAIT_MS = 10_000;
const PLACE = { table: 'users', column: 'email', row: 'r1' };
/** How much faster the keys' clock goes than the machine's: ten minutes take three seconds. */
const PACE = 200;

let db: TestDatabase;
let fake: FakeKms;
let processes: [KeyProcess, KeyProcess];
let ahead: number;

beforeAll(async () => {
  db = await openTestDatabase();
});
afterAll(() => db.close());
beforeEach(async () => {
  ahead = 0;
  fake = await startFakeKms();
  const { fresh, refreshAhead, stale, pause, settle } = KEY_TIMES;
  const begin = performance.now();
  const now = (): number => (performance.now() - begin) * PACE + ahead;
  // What is heard of other processes is heard at the machine's own pace.
  const times = new KeyTimes(fresh, refreshAhead, stale, pause, 1_000 * PACE, settle, now);
  const start = (): Promise<KeyProcess> => startKeyProcess(db.url, clientOf(fake), { times, working: false });
  processes = [await start(), await start()];
});
afterEach(async () => {
  await Promise.all(processes.map((process) => process.close()));
  await fake.close();
});

async function newTenant(): Promise<{ tenant: TenantRef; arn: string }> {
  const tenant = await db.newTenant();
  const [{ keys, database, work }] = processes;
  const statements = await keys.provision(tenant);
  await database.within(tenant, () =>
    work.bookkeeping('a test', async () => {
      for (const statement of statements) await database.query(statement);
    }),
  );
  return { tenant, arn: String(statements[0]?.values[1]) };
}

async function use(tenant: TenantRef): Promise<void> {
  for (const { fields } of processes) {
    const sealed = await fields.sealJson(tenant, PLACE, 'value');
    expect(await fields.openJson(tenant, PLACE, sealed)).toBe('value');
  }
}

/** Advances the keys' clock. */
function advance(milliseconds: number): void {
  ahead += milliseconds;
}

describe('a key service', () => {
  it.each(['hang', 'internal', 'throttle'] as const)(
    'that is away for ten minutes (%s) fails nobody whose keys are in memory',
    async (how) => {
      const [{ tenant }, { tenant: neighbour }] = [await newTenant(), await newTenant()];
      await Promise.all([use(tenant), use(neighbour)]);
      // They end in the middle of the outage.
      advance(55 * MINUTE);
      fake.fail(how, Infinity);
      const asked = fake.count();
      const until = performance.now() + (10 * MINUTE) / PACE;
      let used = 0;
      while (performance.now() < until) {
        await Promise.all([use(tenant), use(neighbour)]);
        used += 1;
        await sleep(2);
      }
      expect(used).toBeGreaterThan(50);
      expect(fake.count()).toBeGreaterThan(asked);
      fake.fail(how, 0);
      const opened = fake.count('Decrypt');
      await eventually(async () => {
        await use(tenant);
        expect(fake.count('Decrypt')).toBeGreaterThan(opened + 1);
      }, WAIT_MS);
    },
  );

  it('that is away for longer than half an hour beyond the hour fails them, and serves them when it is back', async () => {
    const [{ tenant }, { tenant: neighbour }] = [await newTenant(), await newTenant()];
    await use(tenant);
    fake.fail('internal', Infinity);
    advance(90 * MINUTE);
    await expect(use(tenant)).rejects.toMatchObject({ code: 'KEYS_UNAVAILABLE' });
    await expect(use(neighbour)).rejects.toMatchObject({ code: 'KEYS_UNAVAILABLE' });
    fake.fail('internal', 0);
    await use(tenant);
    await use(neighbour);
  });

  const refusals: [string, (arn: string) => void, (arn: string) => void][] = [
    ['disabled', (arn) => fake.setState(arn, 'Disabled'), (arn) => fake.setState(arn, 'Enabled')],
    [
      'pending deletion',
      (arn) => fake.setState(arn, 'PendingDeletion'),
      (arn) => fake.setState(arn, 'Enabled'),
    ],
    [
      'without its material',
      (arn) => fake.setState(arn, 'PendingImport'),
      (arn) => fake.setState(arn, 'Enabled'),
    ],
    [
      'in a key store that is disconnected',
      (arn) => fake.setState(arn, 'Unavailable'),
      (arn) => fake.setState(arn, 'Enabled'),
    ],
    ['not for us any more', (arn) => fake.deny(arn, true), (arn) => fake.deny(arn, false)],
  ];

  it.each(refusals)(
    'that says a key is %s ends its use at once, and nobody else’s',
    async (_, refuse, allow) => {
      const [{ tenant, arn }, { tenant: neighbour }] = [await newTenant(), await newTenant()];
      await Promise.all([use(tenant), use(neighbour)]);
      refuse(arn);
      advance(46 * MINUTE);
      await use(neighbour);
      await eventually(() => expect(use(tenant)).rejects.toMatchObject({ code: 'KEYS_REFUSED' }), WAIT_MS);
      await use(neighbour);
      allow(arn);
      await eventually(() => use(tenant), WAIT_MS);
    },
  );

  it('that has destroyed a key refuses it like one that never was', async () => {
    const [{ tenant, arn }, { tenant: neighbour }] = [await newTenant(), await newTenant()];
    fake.destroy(arn);
    await expect(use(tenant)).rejects.toMatchObject({
      code: 'KEYS_REFUSED',
      cause: { code: 'key_not_found' },
    });
    await use(neighbour);
  });

  it('that throttles gets few calls, and everybody their keys in the end', async () => {
    const tenants = await Promise.all(Array.from({ length: 12 }, () => newTenant()));
    fake.throttleAbove(20);
    fake.delay(20);
    for (const { tenant } of tenants) await eventually(() => use(tenant), WAIT_MS);
    expect(fake.count('Decrypt')).toBeLessThan(100);
  });
});
