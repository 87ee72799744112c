import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { v7 as uuidv7 } from 'uuid';
import { KEY_TIMES, KeyTimes } from '../../src/encryption/key-times.js';
import type { KmsKey } from '../../src/encryption/index.js';
import type { TenantRef } from '../../src/platform/database/index.js';
import { startFakeKms, type FakeKms } from '../fakes/kms.js';
import { eventually } from '../support/eventually.js';
import { clientOf, startKeyProcess, type KeyProcess } from '../support/key-process.js';
import { newKeyTenant, rotatedBy } from '../support/key-tenants.js';
import { openTestDatabase, type TestDatabase } from '../support/test-database.js';

const SECOND = 1_000;
const WAIT_MS = 30_000;
const REFUSED = { code: 'KEYS_REFUSED' };

let db: TestDatabase;
let fake: FakeKms;
let one: KeyProcess;
let two: KeyProcess;
/** The keys' clock stands still but for what a test adds. */
let clock: number;

beforeAll(async () => {
  db = await openTestDatabase();
});
afterAll(() => db.close());
beforeEach(async () => {
  clock = 0;
  fake = await startFakeKms();
  one = await start(true);
  two = await start(false);
});
afterEach(async () => {
  await Promise.all([one.close(), two.close()]);
  await fake.close();
  await db.superuser.query('DELETE FROM control.operations');
});

function start(working: boolean): Promise<KeyProcess> {
  const { fresh, refreshAhead, stale, pause, unheard } = KEY_TIMES;
  const times = new KeyTimes(fresh, refreshAhead, stale, pause, unheard, 200, () => clock);
  return startKeyProcess(db.url, clientOf(fake), { times, working });
}

const newTenant = (): Promise<TenantRef> => newKeyTenant(db, one);
const rotatedTo = (tenant: TenantRef, under: KmsKey): Promise<void> => rotatedBy(one, tenant, under);

const place = (row: string) => ({ table: 'users', column: 'email', row });

async function use(process: KeyProcess, tenant: TenantRef): Promise<void> {
  const row = uuidv7();
  const sealed = await process.fields.sealJson(tenant, place(row), row);
  expect(await process.fields.openJson(tenant, place(row), sealed)).toBe(row);
}

async function attached(tenant: TenantRef): Promise<string> {
  const arn = fake.newKey();
  await one.customers.verify(tenant, arn);
  await rotatedTo(tenant, { kmsKeyId: arn, custody: 'customer' });
  return arn;
}

describe('a key that a customer keeps', () => {
  it('opens everything of the tenant, at one call, and nothing of ours does any more', async () => {
    const [tenant, neighbour] = [await newTenant(), await newTenant()];
    const early = await one.fields.sealJson(tenant, place('early'), 'early');
    const { ownKmsKeyId } = await one.keys.of(tenant);
    await attached(tenant);
    fake.setState(ownKmsKeyId, 'Disabled');
    const cold = await start(false);
    try {
      const before = fake.count();
      expect(await cold.fields.openJson(tenant, place('early'), early)).toBe('early');
      await use(cold, tenant);
      expect(fake.count() - before).toBe(1);
      await use(cold, neighbour);
    } finally {
      await cold.close();
    }
    const { rows } = await db.superuser.query(
      `SELECT custody, state FROM "${tenant.id}".encryption_keys WHERE wrapped IS NOT NULL`,
    );
    expect(rows).toEqual([{ custody: 'customer', state: 'current' }]);
  });

  it.each([
    [
      'disabled',
      (arn: string) => fake.setState(arn, 'Disabled'),
      (arn: string) => fake.setState(arn, 'Enabled'),
    ],
    ['denied to us', (arn: string) => fake.deny(arn, true), (arn: string) => fake.deny(arn, false)],
    [
      'in a key store that its owner disconnects',
      (arn: string) => fake.setState(arn, 'Unavailable'),
      (arn: string) => fake.setState(arn, 'Enabled'),
    ],
    [
      'without its imported material',
      (arn: string) => fake.setState(arn, 'PendingImport'),
      (arn: string) => fake.setState(arn, 'Enabled'),
    ],
  ])('that is %s ends its use within a minute, in every process', async (_, revoke, allow) => {
    const [tenant, neighbour] = [await newTenant(), await newTenant()];
    const arn = await attached(tenant);
    for (const process of [one, two]) await use(process, tenant);
    revoke(arn);
    // The one that is used goes on asking; the other is not used meanwhile.
    clock += 31 * SECOND;
    await eventually(() => expect(use(one, tenant)).rejects.toMatchObject(REFUSED), WAIT_MS);
    clock += 15 * SECOND;
    for (const process of [one, two]) {
      await expect(use(process, tenant)).rejects.toMatchObject(REFUSED);
      await use(process, neighbour);
    }
    allow(arn);
    clock += 6 * SECOND;
    for (const process of [one, two]) await use(process, tenant);
  });

  it('is bridged for ten minutes where its key service is away, and no longer', async () => {
    const [tenant, neighbour] = [await newTenant(), await newTenant()];
    await attached(tenant);
    for (const owner of [tenant, neighbour]) await use(one, owner);
    fake.fail('internal', Infinity);
    for (let passed = 0; passed < 10; passed += 1) {
      clock += 60 * SECOND;
      await use(one, tenant);
    }
    clock += 46 * SECOND;
    await expect(use(one, tenant)).rejects.toMatchObject({ code: 'KEYS_UNAVAILABLE' });
    await use(one, neighbour);
  });

  it('can be taken off: then it opens nothing, and the key of ours does', async () => {
    const [tenant, neighbour] = [await newTenant(), await newTenant()];
    const early = await one.fields.sealJson(tenant, place('early'), 'early');
    const { ownKmsKeyId: kmsKeyId } = await one.keys.of(tenant);
    const arn = await attached(tenant);
    const later = await one.fields.sealJson(tenant, place('later'), 'later');
    await rotatedTo(tenant, { kmsKeyId, custody: 'ours' });
    fake.setState(arn, 'Disabled');
    clock += 3_600 * SECOND;
    expect(await two.fields.openJson(tenant, place('early'), early)).toBe('early');
    expect(await two.fields.openJson(tenant, place('later'), later)).toBe('later');
    await use(two, neighbour);
  });

  it('is rotated under, and stays, when the keys are due', async () => {
    const [tenant, neighbour] = [await newTenant(), await newTenant()];
    const arn = await attached(tenant);
    await use(one, tenant);
    await eventually(async () => expect(await one.schedules.of(tenant.id)).toBeDefined(), WAIT_MS);
    const { currentId } = await one.keys.of(tenant);
    await db.superuser.query('UPDATE control.key_schedules SET rotate_at = now() WHERE tenant = $1', [
      tenant.id,
    ]);
    expect(await one.schedule.look()).toBe(1);
    await eventually(async () => expect((await one.keys.of(tenant)).currentId).not.toBe(currentId), WAIT_MS);
    expect(await one.keys.of(tenant)).toMatchObject({ kmsKeyId: arn, custody: 'customer' });
    await use(two, tenant);
    expect(await one.keys.of(neighbour)).toMatchObject({ custody: 'ours' });
  });

  it('is never condemned by us, whatever becomes of the tenant', async () => {
    const [tenant, neighbour] = [await newTenant(), await newTenant()];
    const { ownKmsKeyId } = await one.keys.of(tenant);
    const arn = await attached(tenant);
    expect(await one.keys.condemn(tenant)).toEqual([ownKmsKeyId]);
    await use(two, tenant);
    await use(two, neighbour);
    expect(await clientOf(fake).generateDataKey(arn, {})).toHaveProperty('wrapped');
  });

  it('that is revoked before the rotation to it has begun is given up, and the keys stay as they are', async () => {
    const [tenant, neighbour] = [await newTenant(), await newTenant()];
    const arn = fake.newKey();
    fake.deny(arn, true);
    const under: KmsKey = { kmsKeyId: arn, custody: 'customer' };
    const begin = (): Promise<string> =>
      one.registry.bookkeeping('a test', tenant.id, (registry) =>
        one.rotate.begin(registry, tenant.id, 'customer_key_attached', under),
      );
    const id = await begin();
    one.runner.nudge();
    await eventually(
      async () => expect(await one.operations.byId(tenant.id, id)).toMatchObject({ status: 'failed' }),
      WAIT_MS,
    );
    for (const owner of [tenant, neighbour]) await use(one, owner);
    expect(await one.keys.of(tenant)).toMatchObject({ custody: 'ours' });
    await begin();
  });

  it('is one organisation’s: no other can attach it, nor a related key of it; the same one can again', async () => {
    const [tenant, neighbour] = [await newTenant(), await newTenant()];
    const claim = (owner: TenantRef, arn: string): Promise<void> =>
      one.registry.bookkeeping('a test', owner.id, (registry) =>
        one.customers.claim(registry, owner.id, arn),
      );
    const [single, related] = [fake.newKey(), fake.newKey({ multiRegion: true })];
    const replica = fake.replicate(related, 'us-east-1');
    for (const arn of [single, related, single]) await claim(tenant, arn);
    for (const arn of [single, related, replica])
      await expect(claim(neighbour, arn)).rejects.toMatchObject({ code: 'CUSTOMER_KEY_REFUSED' });
    const other = fake.newKey();
    const both = await Promise.allSettled([claim(tenant, other), claim(neighbour, other)]);
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    await claim(neighbour, fake.newKey());
  });

  it('is refused before anything depends on it, where it cannot be used or is no customer’s', async () => {
    const [tenant, neighbour] = [await newTenant(), await newTenant()];
    const neighbours = (await one.keys.of(neighbour)).kmsKeyId;
    const disabled = fake.newKey();
    fake.setState(disabled, 'Disabled');
    const denied = fake.newKey();
    fake.deny(denied, true);
    const unknown = `${fake.newKey().slice(0, -4)}0000`;
    const signing = fake.newKey({ usage: 'SIGN_VERIFY' });
    for (const arn of [neighbours, disabled, denied, unknown, signing, 'arn:aws:kms:no-key'])
      await expect(one.customers.verify(tenant, arn)).rejects.toMatchObject({ code: 'CUSTOMER_KEY_REFUSED' });
    const good = fake.newKey();
    fake.fail('internal', 3);
    await expect(one.customers.verify(tenant, good)).rejects.toMatchObject({ code: 'KEYS_UNAVAILABLE' });
    await expect(one.customers.verify(tenant, good)).resolves.toBeUndefined();
  });
});
