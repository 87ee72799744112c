import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { v7 as uuidv7 } from 'uuid';
import { UserEntity } from '../../src/auth/index.js';
import { kekIdOf } from '../../src/encryption/field-codec.js';
import { announce, type TenantRef } from '../../src/platform/database/index.js';
import { startFakeKms, type FakeKms } from '../fakes/kms.js';
import { eventually } from '../support/eventually.js';
import { clientOf, startKeyProcess, type KeyProcess } from '../support/key-process.js';
import { addUser, census, found, inTenant, newKeyTenant, rotatedBy } from '../support/key-tenants.js';
import { openTestDatabase, type TestDatabase } from '../support/test-database.js';

const WAIT_MS = 30_000;
const ERASED = { code: 'PERSON_ERASED' };

let db: TestDatabase;
let fake: FakeKms;
let one: KeyProcess;
let two: KeyProcess;

beforeAll(async () => {
  db = await openTestDatabase();
});
afterAll(() => db.close());
beforeEach(async () => {
  fake = await startFakeKms();
  one = await startKeyProcess(db.url, clientOf(fake));
  two = await startKeyProcess(db.url, clientOf(fake));
});
afterEach(async () => {
  await Promise.all([one.close(), two.close()]);
  await fake.close();
  await db.superuser.query('DELETE FROM control.operations');
});

const place = (row: string) => ({ table: 'audit', column: 'client', row });
const sealed = (process: KeyProcess, tenant: TenantRef, row: string, person?: string): Promise<Buffer> =>
  process.fields.sealJson(tenant, place(row), { ip: row }, person);
const opened = (process: KeyProcess, tenant: TenantRef, row: string, value: Buffer): Promise<unknown> =>
  process.fields.openJson(tenant, place(row), value);

function erase(process: KeyProcess, tenant: TenantRef, person: string): Promise<void> {
  return inTenant(process, tenant, async () => {
    await process.database.query({ text: 'SELECT 1 FROM users WHERE id = $1 FOR UPDATE', values: [person] });
    for (const statement of process.subjects.destroy(person)) await process.database.query(statement);
    await process.database.query({
      text: `UPDATE users SET status = 'erased', email = NULL, email_index = NULL, email_index_alt = NULL, display_name = NULL
        WHERE id = $1`,
      values: [person],
    });
    await process.database.query(announce({ kind: 'user', tenant: tenant.id, id: person }));
  });
}

interface KeyRow {
  readonly state: string;
  readonly wrapped: Buffer | null;
  readonly by: string | null;
}

async function keysOf({ id }: TenantRef, person: string): Promise<KeyRow[]> {
  const { rows } = await db.superuser.query<KeyRow>(
    `SELECT state, wrapped, wrapped_by AS by FROM "${id}".subject_keys WHERE person = $1 ORDER BY id`,
    [person],
  );
  return rows;
}

describe('the key of a person', () => {
  it('seals the person’s columns and whatever else is theirs, and opens in every process', async () => {
    const [tenant, neighbour] = [await newKeyTenant(db, one), await newKeyTenant(db, one)];
    const ann = await addUser(one, tenant, 'ann@example.com');
    await addUser(one, neighbour, 'ann@example.com');
    const value = await sealed(one, tenant, 'r1', ann);
    const { rows } = await db.superuser.query<{ email: Buffer; display_name: Buffer; key: string }>(
      `SELECT email, display_name, replace(s.id::text, '-', '') AS key FROM "${tenant.id}".users u JOIN "${tenant.id}".subject_keys s ON s.person = u.id`,
    );
    const [row] = rows;
    for (const stored of [row?.email, row?.display_name, value])
      expect(kekIdOf(stored ?? Buffer.alloc(0))).toBe(row?.key);
    expect(await opened(two, tenant, 'r1', value)).toEqual({ ip: 'r1' });
    expect(await found(two, tenant, 'ANN@example.com')).toBe(`${ann} ann@example.com`);
    await expect(opened(two, neighbour, 'r1', value)).rejects.toThrow('cannot be read');
  });

  it('is read once for a page of a hundred persons, and not at all to seal what follows', async () => {
    const tenant = await newKeyTenant(db, one);
    const persons: string[] = [];
    for (let at = 0; at < 100; at += 1) persons.push(await addUser(one, tenant, `u${at}@example.com`));
    await two.keys.of(tenant);
    const reads = countReads(two);
    const users = await two.database.within(tenant, () => two.database.repository(UserEntity).find());
    expect(users.map(({ email }) => email?.reveal())).toContain('u99@example.com');
    expect(reads()).toBe(1);
    for (const person of persons) await sealed(two, tenant, 'r', person);
    expect(reads()).toBe(1);
  });

  it('is another for everybody, and whoever swaps the rows of two opens nothing', async () => {
    const [tenant, neighbour] = [await newKeyTenant(db, one), await newKeyTenant(db, one)];
    const [ann, ben] = [await addUser(one, tenant, 'a@x.example'), await addUser(one, tenant, 'b@x.example')];
    await addUser(one, neighbour, 'a@x.example');
    const value = await sealed(one, tenant, 'r1', ann);
    await db.superuser.query(
      `UPDATE "${tenant.id}".subject_keys SET person = CASE person WHEN $1 THEN $2::uuid ELSE $1 END, state = 'opens'`,
      [ann, ben],
    );
    await expect(opened(two, tenant, 'r1', value)).rejects.toThrow('cannot be read');
  });

  it('is made at the first use for a person of before, whose values come under it at the next rotation', async () => {
    const [tenant, neighbour] = [await newKeyTenant(db, one), await newKeyTenant(db, one)];
    const ids: string[] = [];
    for (const owner of [tenant, neighbour])
      ids.push(await addUser(one, owner, 'old@example.com', { ofBefore: true }));
    const [old = ''] = ids;
    await eventually(async () => {
      // Its first use was in the transaction that added the person, who was not there yet for any other.
      await sealed(one, tenant, 'r1', old);
      expect(await keysOf(tenant, old)).toHaveLength(1);
    }, WAIT_MS);
    await rotatedBy(one, tenant);
    const { rows } = await db.superuser.query<{ email: Buffer }>(`SELECT email FROM "${tenant.id}".users`);
    const { currentId } = await one.keys.of(tenant);
    expect(kekIdOf(rows[0]?.email ?? Buffer.alloc(0))).not.toBe(currentId.replaceAll('-', ''));
    expect((await census(db, tenant)).sealedBy.get(currentId.replaceAll('-', ''))).toBe(2);
    expect(await found(two, tenant, 'old@example.com')).toContain('old@example.com');
    expect(await found(two, neighbour, 'old@example.com')).toContain('old@example.com');
  });
});

describe('a rotation', () => {
  it('rewraps the keys of persons and not what they sealed, and gives each another to seal with', async () => {
    const [tenant, neighbour] = [await newKeyTenant(db, one), await newKeyTenant(db, one)];
    const persons: string[] = [];
    for (let at = 0; at < 250; at += 1) persons.push(await addUser(one, tenant, `u${at}@example.com`));
    const apart = await addUser(one, neighbour, 'u0@example.com');
    const [first = ''] = persons;
    const value = await sealed(one, tenant, 'r1', first);
    const before = await stored(tenant);
    await rotatedBy(one, tenant);
    const { currentId } = await one.keys.of(tenant);
    expect(await stored(tenant)).toEqual(before);
    for (const person of persons)
      expect((await keysOf(tenant, person)).map(({ state, by }) => `${state} ${by}`)).toEqual([
        `opens ${currentId}`,
        `current ${currentId}`,
      ]);
    expect((await keysOf(neighbour, apart)).map(({ state }) => state)).toEqual(['current']);
    for (const process of [one, two]) {
      expect(await opened(process, tenant, 'r1', value)).toEqual({ ip: 'r1' });
      const later = await sealed(process, tenant, 'r2', first);
      expect(kekIdOf(later)).not.toBe(kekIdOf(value));
    }
  });

  it('gives no key to who is erased while it is at work', async () => {
    const [tenant, neighbour] = [await newKeyTenant(db, one), await newKeyTenant(db, one)];
    const persons: string[] = [];
    for (let at = 0; at < 60; at += 1) persons.push(await addUser(one, tenant, `u${at}@example.com`));
    await addUser(one, neighbour, 'u0@example.com');
    const rotation = rotatedBy(one, tenant);
    await Promise.all([rotation, ...persons.map((person) => erase(two, tenant, person))]);
    const { rows } = await db.superuser.query(
      `SELECT count(*)::int AS keys FROM "${tenant.id}".subject_keys WHERE state <> 'destroyed'`,
    );
    expect(rows).toEqual([{ keys: 0 }]);
    expect(await found(two, neighbour, 'u0@example.com')).toContain('u0@example.com');
  });
});

describe('a person whose keys were destroyed', () => {
  it('is read by no process within a moment, and nothing more is sealed for them; others are', async () => {
    const [tenant, neighbour] = [await newKeyTenant(db, one), await newKeyTenant(db, one)];
    const [ann, ben] = [await addUser(one, tenant, 'a@x.example'), await addUser(one, tenant, 'b@x.example')];
    const same = await addUser(one, neighbour, 'a@x.example');
    const [hers, his, theirs] = [
      await sealed(one, tenant, 'r1', ann),
      await sealed(one, tenant, 'r2', ben),
      await sealed(one, neighbour, 'r3', same),
    ];
    for (const process of [one, two]) expect(await opened(process, tenant, 'r1', hers)).toEqual({ ip: 'r1' });
    await erase(one, tenant, ann);
    for (const process of [one, two]) {
      await eventually(
        () => expect(opened(process, tenant, 'r1', hers)).rejects.toMatchObject(ERASED),
        1_000,
      );
      await expect(sealed(process, tenant, 'r4', ann)).rejects.toMatchObject(ERASED);
      expect(await opened(process, tenant, 'r2', his)).toEqual({ ip: 'r2' });
      expect(await opened(process, neighbour, 'r3', theirs)).toEqual({ ip: 'r3' });
    }
    expect(await keysOf(tenant, ann)).toEqual([{ state: 'destroyed', wrapped: null, by: null }]);
    expect(await found(two, tenant, 'a@x.example')).toBeUndefined();
    const cold = await startKeyProcess(db.url, clientOf(fake), { working: false });
    await expect(opened(cold, tenant, 'r1', hers)).rejects.toMatchObject(ERASED);
    await cold.close();
  });

  it('gets no key again, had they one before or not', async () => {
    const [tenant, neighbour] = [await newKeyTenant(db, one), await newKeyTenant(db, one)];
    const [ann, old] = [
      await addUser(one, tenant, 'a@x.example'),
      await addUser(one, tenant, 'old@x.example', { ofBefore: true }),
    ];
    await addUser(one, neighbour, 'a@x.example');
    for (const person of [ann, old]) await erase(one, tenant, person);
    await eventually(async () => {
      for (const person of [ann, old])
        await expect(sealed(two, tenant, 'r', person)).rejects.toMatchObject(ERASED);
    }, 1_000);
    await rotatedBy(one, tenant);
    for (const person of [ann, old])
      expect((await keysOf(tenant, person)).every(({ state }) => state === 'destroyed')).toBe(true);
  });

  it('was never anybody: of who is not known the tenant’s key seals, and no key is made', async () => {
    const [tenant, neighbour] = [await newKeyTenant(db, one), await newKeyTenant(db, one)];
    for (const owner of [tenant, neighbour])
      for (const nobody of [uuidv7(), 'operator', undefined]) {
        const value = await sealed(one, owner, 'r', nobody);
        expect(kekIdOf(value)).toBe((await one.keys.of(owner)).currentId.replaceAll('-', ''));
      }
    const { rows } = await db.superuser.query(`SELECT 1 FROM "${tenant.id}".subject_keys`);
    expect(rows).toEqual([]);
  });
});

/** Counts the statements that read keys of persons. */
function countReads(process: KeyProcess): () => number {
  let reads = 0;
  const query = process.database.query.bind(process.database);
  process.database.query = (statement) => {
    if (statement.name === 'subject_keys') reads += 1;
    return query(statement);
  };
  return () => reads;
}

async function stored({ id }: TenantRef): Promise<unknown[]> {
  const { rows } = await db.superuser.query(`SELECT id, email, display_name FROM "${id}".users ORDER BY id`);
  return rows;
}
