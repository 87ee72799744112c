import { randomBytes } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { AgentEntity, ProjectEntity } from '../../src/agents/index.js';
import { Sealed } from '../../src/encryption/index.js';
import { KEY_TIMES, KeyTimes } from '../../src/encryption/key-times.js';
import { headerOf, SUITE } from '../../src/encryption/field-codec.js';
import type { TenantRef } from '../../src/platform/database/index.js';
import { startFakeKms, type FakeKms } from '../fakes/kms.js';
import { clientOf, startKeyProcess, type KeyProcess } from '../support/key-process.js';
import { addUser, found, inTenant, newKeyTenant, rotatedBy } from '../support/key-tenants.js';
import { oldHeldValue } from '../support/old-held-value.js';
import { openTestDatabase, type TestDatabase } from '../support/test-database.js';

const SECOND = 1_000;
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

const place = (row: string) => ({ table: 'runs', column: 'output_data', row });
const sealed = (process: KeyProcess, tenant: TenantRef, row: string): Promise<Buffer> =>
  process.fields.sealJson(tenant, place(row), row);
const opened = (process: KeyProcess, tenant: TenantRef, row: string, value: Buffer): Promise<unknown> =>
  process.fields.openJson(tenant, place(row), value);

async function held(tenant: TenantRef): Promise<string> {
  const kmsKeyId = fake.newKey();
  await rotatedBy(one, tenant, { kmsKeyId, custody: 'customer', holds: true });
  return kmsKeyId;
}

/** An agent with provider keys, as an encrypted column of an entity; answers the id. */
function addAgent(process: KeyProcess, tenant: TenantRef): Promise<string> {
  return inTenant(process, tenant, async () => {
    const [id, projectId] = [uuidv7(), uuidv7()];
    const projects = process.database.repository(ProjectEntity);
    await projects.insert({ id: projectId, name: 'p', description: '', createdBy: 'x' });
    const agents = process.database.repository(AgentEntity);
    const providerKeys = Sealed.of({ openai: `sk-${id}` });
    const named = {
      name: 'a',
      description: '',
      definition: {} as never,
      apiKeyProviders: [],
      createdBy: 'x',
    };
    await agents.insert(agents.create({ id, projectId, providerKeys, ...named }));
    return id;
  });
}

const apiKeysOf = (process: KeyProcess, tenant: TenantRef, id: string): Promise<unknown> =>
  process.database.within(tenant, async () =>
    (await process.database.repository(AgentEntity).findOneByOrFail({ id })).providerKeys?.reveal(),
  );

async function stored({ id }: TenantRef, text: string): Promise<Buffer> {
  const { rows } = await db.superuser.query<{ value: Buffer }>(text.replaceAll('SCHEMA', `"${id}"`));
  return rows[0]?.value ?? Buffer.alloc(0);
}

it('a held key wraps the data key of each value: a call for one that is sealed, and one a minute for one that is read', async () => {
  const [tenant, neighbour] = [await newKeyTenant(db, one), await newKeyTenant(db, one)];
  await held(tenant);
  await sealed(one, neighbour, 'r0');
  const before = { made: fake.count('GenerateDataKey'), opened: fake.count('Decrypt') };
  const values = [
    await sealed(one, tenant, 'r1'),
    await sealed(one, tenant, 'r2'),
    await sealed(one, neighbour, 'r3'),
  ];
  expect(values.map((value) => headerOf(value).suite)).toEqual([SUITE.kms, SUITE.kms, SUITE.tenantKek]);
  expect(fake.count('GenerateDataKey') - before.made).toBe(2);
  const [first = Buffer.alloc(0)] = values;
  for (let at = 0; at < 5; at += 1) expect(await opened(one, tenant, 'r1', first)).toBe('r1');
  expect(fake.count('Decrypt') - before.opened).toBe(1);
  clock += 46 * SECOND;
  expect(await opened(one, tenant, 'r1', first)).toBe('r1');
  // The field key, which index keys and those of persons hang on, is asked for again as well.
  expect(fake.count('Decrypt') - before.opened).toBe(3);
});

it('what was stored before comes under it, and columns of entities are read and written; persons stay under their own keys', async () => {
  const [tenant, neighbour] = [await newKeyTenant(db, one), await newKeyTenant(db, one)];
  const [early, apart] = [await addAgent(one, tenant), await addAgent(one, neighbour)];
  await addUser(one, tenant, 'ann@example.com');
  await held(tenant);
  const late = await addAgent(two, tenant);
  const keysIn = 'SELECT api_keys AS value FROM SCHEMA.agents WHERE id = ';
  for (const id of [early, late])
    expect(headerOf(await stored(tenant, `${keysIn}'${id}'`)).suite).toBe(SUITE.kms);
  expect(headerOf(await stored(neighbour, `${keysIn}'${apart}'`)).suite).toBe(SUITE.tenantKek);
  expect(headerOf(await stored(tenant, 'SELECT email AS value FROM SCHEMA.users')).suite).toBe(
    SUITE.tenantKek,
  );
  for (const process of [one, two]) {
    for (const id of [early, late])
      expect(await apiKeysOf(process, tenant, id)).toEqual({ openai: `sk-${id}` });
    expect(await apiKeysOf(process, neighbour, apart)).toEqual({ openai: `sk-${apart}` });
    expect(await found(process, tenant, 'ann@example.com')).toContain('ann@example.com');
  }
  await rotatedBy(one, tenant);
  const { current, holds } = await two.keys.reread(tenant);
  expect(holds).toBe(true);
  for (const id of [early, late]) {
    const { suite, keyId } = headerOf(await stored(tenant, `${keysIn}'${id}'`));
    expect([suite, keyId]).toEqual([SUITE.kms, current.id.toString('hex')]);
    expect(await apiKeysOf(two, tenant, id)).toEqual({ openai: `sk-${id}` });
  }
});

it('revoked it ends all use within a minute, also of what was read a moment ago; at once of what was not', async () => {
  const [tenant, neighbour] = [await newKeyTenant(db, one), await newKeyTenant(db, one)];
  const person = await addUser(one, tenant, 'ann@example.com');
  const arn = await held(tenant);
  const [known, other] = [await sealed(one, tenant, 'known'), await sealed(one, tenant, 'other')];
  const theirs = await sealed(one, neighbour, 'r1');
  const hers = await one.fields.sealJson(tenant, place('hers'), 'hers', person);
  for (const process of [one, two]) {
    expect(await opened(process, tenant, 'known', known)).toBe('known');
    expect(await opened(process, tenant, 'hers', hers)).toBe('hers');
  }
  fake.deny(arn, true);
  for (const process of [one, two]) {
    expect(await opened(process, tenant, 'known', known)).toBe('known');
    await expect(opened(process, tenant, 'other', other)).rejects.toMatchObject(REFUSED);
    await expect(sealed(process, tenant, 'new')).rejects.toMatchObject(REFUSED);
  }
  clock += 46 * SECOND;
  for (const process of [one, two]) {
    await expect(opened(process, tenant, 'known', known)).rejects.toMatchObject(REFUSED);
    await expect(opened(process, tenant, 'hers', hers)).rejects.toMatchObject(REFUSED);
    expect(await opened(process, neighbour, 'r1', theirs)).toBe('r1');
  }
  fake.deny(arn, false);
  clock += 6 * SECOND;
  for (const process of [one, two]) expect(await opened(process, tenant, 'other', other)).toBe('other');
});

it('given up it is needed no more for what is stored; the log alone keeps what it sealed', async () => {
  const [tenant, neighbour] = [await newKeyTenant(db, one), await newKeyTenant(db, one)];
  const { ownKmsKeyId: kmsKeyId } = await one.keys.of(tenant);
  const arn = await held(tenant);
  const agent = await addAgent(one, tenant);
  const event = await sealed(one, tenant, 'an event');
  await rotatedBy(one, tenant, { kmsKeyId, custody: 'ours' });
  const late = await start(false);
  try {
    expect(await opened(late, tenant, 'an event', event)).toBe('an event');
    fake.deny(arn, true);
    clock += 46 * SECOND;
    expect(await apiKeysOf(late, tenant, agent)).toEqual({ openai: `sk-${agent}` });
    expect(headerOf(await sealed(late, tenant, 'r')).suite).toBe(SUITE.tenantKek);
    await expect(opened(late, tenant, 'an event', event)).rejects.toMatchObject(REFUSED);
    await sealed(late, neighbour, 'r');
  } finally {
    await late.close();
  }
});

it('what names another key, or was altered, is unreadable as anything else', async () => {
  const [tenant, neighbour] = [await newKeyTenant(db, one), await newKeyTenant(db, one)];
  for (const owner of [tenant, neighbour]) await held(owner);
  const value = await sealed(one, tenant, 'r1');
  await expect(opened(one, neighbour, 'r1', value)).rejects.toThrow('cannot be read');
  await expect(opened(one, tenant, 'r2', value)).rejects.toThrow('cannot be read');
  const unknown = Buffer.concat([value.subarray(0, 2), randomBytes(16), value.subarray(18)]);
  await expect(opened(one, tenant, 'r1', unknown)).rejects.toThrow('cannot be read');
  const altered = Buffer.from(value);
  altered[altered.length - 1] = (altered.at(-1) ?? 0) ^ 1;
  await expect(opened(one, tenant, 'r1', altered)).rejects.toThrow('cannot be read');
});

it('whatever its key service does, nothing of it is used for longer than a minute', async () => {
  const [tenant, neighbour] = [await newKeyTenant(db, one), await newKeyTenant(db, one)];
  const person = await addUser(one, tenant, 'ann@example.com');
  await held(tenant);
  const value = await sealed(one, tenant, 'r1');
  const hers = await one.fields.sealJson(tenant, place('hers'), 'hers', person);
  const theirs = await sealed(one, neighbour, 'r1');
  const use = async (): Promise<void> => {
    expect(await opened(one, tenant, 'hers', hers)).toBe('hers');
  };
  await use();
  expect(await opened(one, tenant, 'r1', value)).toBe('r1');
  expect(await opened(one, neighbour, 'r1', theirs)).toBe('r1');
  fake.fail('hang', Infinity);
  // It is asked again, and does not answer: what is in memory is used for a little longer.
  clock += 50 * SECOND;
  await use();
  const gone = { code: 'KEYS_UNAVAILABLE' };
  await expect(opened(one, tenant, 'r1', value)).rejects.toMatchObject(gone);
  clock += 10 * SECOND;
  await expect(opened(one, tenant, 'hers', hers)).rejects.toMatchObject(gone);
  await expect(opened(one, tenant, 'r1', value)).rejects.toMatchObject(gone);
  expect(await opened(one, neighbour, 'r1', theirs)).toBe('r1');
});

it('is asked once for a value that many read at the same time, and for few values at once', async () => {
  const [tenant, neighbour] = [await newKeyTenant(db, one), await newKeyTenant(db, one)];
  await held(tenant);
  const rows = Array.from({ length: 24 }, (_, at) => `r${at}`);
  const values: Buffer[] = [];
  for (const row of rows) values.push(await sealed(one, tenant, row));
  const theirs = await sealed(one, neighbour, 'r0');
  const before = fake.count('Decrypt');
  fake.delay(20);
  const readers = Array.from({ length: 5 }, () =>
    Promise.all(values.map((value, at) => opened(one, tenant, `r${at}`, value))),
  );
  for (const read of await Promise.all(readers)) expect(read).toEqual(rows);
  expect(fake.count('Decrypt') - before).toBe(24);
  expect(fake.atOnce()).toBeLessThanOrEqual(16);
  expect(await opened(one, neighbour, 'r0', theirs)).toBe('r0');
});

it('each use names tenant, table and column to whoever keeps the key; what was sealed by the tenant alone is read, and rewrapped', async () => {
  const [tenant, neighbour] = [await newKeyTenant(db, one), await newKeyTenant(db, one)];
  const arn = await held(tenant);
  const context = { tenant: tenant.id, purpose: 'value', table: 'runs', column: 'output_data' };
  const value = await sealed(one, tenant, 'r1');
  expect(fake.contexts.at(-1)).toEqual(context);
  expect(await opened(two, tenant, 'r1', value)).toBe('r1');
  expect(fake.contexts.findLast(({ purpose }) => purpose === 'value')).toEqual(context);
  const kms = clientOf(fake);
  const dek = await kms.generateDataKey(arn, { tenant: tenant.id, purpose: 'value' });
  const { current } = await one.keys.of(tenant);
  const agent = await addAgent(one, tenant);
  const at = { tenant: tenant.id, table: 'agents', column: 'api_keys', row: agent };
  const old = oldHeldValue(current.id, dek, at, Buffer.from('{"openai":"of before"}'));
  await db.superuser.query(`UPDATE "${tenant.id}".agents SET api_keys = $1 WHERE id = $2`, [old, agent]);
  for (const process of [one, two])
    expect(await apiKeysOf(process, tenant, agent)).toEqual({ openai: 'of before' });
  const elsewhere = { table: 'agents', column: 'api_keys', row: uuidv7() };
  await expect(one.fields.openJson(tenant, elsewhere, old)).rejects.toThrow('cannot be read');
  await expect(one.fields.openJson(neighbour, { ...elsewhere, row: agent }, old)).rejects.toThrow(
    'cannot be read',
  );
  await rotatedBy(one, tenant);
  const anew = await stored(tenant, `SELECT api_keys AS value FROM SCHEMA.agents WHERE id = '${agent}'`);
  expect(headerOf(anew).suite).toBe(SUITE.kms);
  expect(await apiKeysOf(two, tenant, agent)).toEqual({ openai: 'of before' });
});
