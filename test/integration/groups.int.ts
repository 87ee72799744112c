import { randomBytes, randomInt } from 'node:crypto';
import pg from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { GroupCycle, Groups, GroupsNestedTooDeep, Members, Subgroups } from '../../src/groups/index.js';
import type { Change, TenantRef } from '../../src/platform/database/index.js';
import { openTestDatabase, type TestDatabase } from '../support/test-database.js';

const PEOPLE = Number(process.env['WAXELL_GROUP_MEMBERS'] ?? 1_000);
const WRITERS = 50;

let db: TestDatabase;
let groups: Groups;
let members: Members;
let subgroups: Subgroups;
let acme: TenantRef;
let other: TenantRef;
let people: string[];
let listener: pg.Client;
let heard: Change[] = [];

beforeAll(async () => {
  db = await openTestDatabase({ pool: 8 });
  subgroups = new Subgroups(db.database);
  groups = new Groups(db.database, subgroups);
  members = new Members(db.database);
  [acme, other] = [await db.newTenant(), await db.newTenant()];
  people = await addPeople(acme, PEOPLE);
  listener = new pg.Client({ connectionString: db.url });
  await listener.connect();
  listener.on('notification', ({ payload }) => heard.push(JSON.parse(payload ?? '') as Change));
  await listener.query('LISTEN waxell');
});
afterAll(async () => {
  await listener.end();
  await db.close();
});
beforeEach(forget);

async function addPeople(tenant: TenantRef, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => uuidv7()).toSorted();
  await db.superuser.query(
    `INSERT INTO ${tenant.id}.users (id, email, email_index, role)
      SELECT id, 'x'::bytea, decode(replace(id::text, '-', ''), 'hex'), 'Viewer' FROM unnest($1::uuid[]) AS id`,
    [ids],
  );
  return ids;
}

function write<T>(work: () => Promise<T>, tenant = acme): Promise<T> {
  return db.database.within(tenant, () => db.transactions.run(work));
}

async function newGroup(tenant = acme): Promise<string> {
  const displayName = `group ${randomBytes(6).toString('hex')}`;
  return (await write(() => groups.create({ displayName, createdBy: 'test' }), tenant)).id;
}

/** As every writer does: the group first, then its members. */
function change<T>(id: string, work: () => Promise<T>): Promise<T> {
  return write(async () => {
    await groups.locked(id);
    return work();
  });
}

async function inGroup(id: string): Promise<string[]> {
  const rows = await db.database.within(acme, () => members.list(id, undefined, PEOPLE + 1));
  return rows.map(({ user_id: userId }) => userId);
}

const put = (outer: string, ...inner: string[]) => change(outer, () => subgroups.add(outer, inner));
const groupsOf = (person: string, tenant = acme) => db.database.within(tenant, () => groups.groupsOf(person));

/** Whose change was announced until now: of who came, as a gain, by which nothing ends; of who went, as one of the person. */
async function told(...kinds: Change['kind'][]): Promise<string[]> {
  const wanted = new Set<string>(kinds.length > 0 ? kinds : ['user', 'access_gained']);
  // Notifications come before the answer to what was asked after them.
  await listener.query('SELECT 1');
  return heard
    .filter(({ kind, tenant }) => wanted.has(kind) && tenant === acme.id)
    .map(({ id }) => id)
    .toSorted();
}

/** What was announced until now is not looked at. */
async function forget(): Promise<void> {
  await told();
  heard = [];
}

describe('the people of a group', () => {
  it('are as fifty who add and remove at once have left them, each of their own', async () => {
    const id = await newGroup();
    const half = people.filter((_person, at) => at % 2 === 0);
    await change(id, () => members.replace(id, half));
    const model = new Set(half);
    // Each writer has people of its own, so that the outcome does not depend on who comes first.
    const turns = Array.from({ length: WRITERS }, (_writer, number) => {
      const own = people.filter((_person, at) => at % WRITERS === number);
      const chosen = own.filter(() => randomInt(2) === 0);
      const adds = randomInt(2) === 0;
      for (const person of chosen)
        if (adds) model.add(person);
        else model.delete(person);
      return () => change(id, () => (adds ? members.add(id, chosen) : members.remove(id, chosen)));
    });
    await Promise.all(turns.map((turn) => turn()));
    expect(await inGroup(id)).toEqual([...model].toSorted());
    const group = await db.database.within(acme, () => groups.find(id));
    expect(group.people).toBe(model.size);
  });

  it('are exactly those of the last replacement, however many replace them at once', async () => {
    const id = await newGroup();
    const sets = Array.from({ length: 10 }, () => people.filter(() => randomInt(2) === 0));
    await Promise.all(sets.map((set) => change(id, () => members.replace(id, set))));
    expect(sets).toContainEqual(await inGroup(id));
  });

  it('are told of when they come or go, and nobody else is', async () => {
    const id = await newGroup();
    const [a = '', b = '', c = ''] = people;
    await change(id, () => members.add(id, [a, b]));
    expect(await told()).toEqual([a, b]);
    await forget();
    // One is there already.
    await change(id, () => members.add(id, [b, c]));
    expect(await told()).toEqual([c]);
    expect(await told('user')).toEqual([]);
    await forget();
    await change(id, () => members.replace(id, [a, b]));
    expect(await told('user')).toEqual([c]);
    expect(await told()).toEqual([c]);
    await forget();
    await change(id, () => members.remove(id, [c]));
    expect(await told()).toEqual([]);
    await change(id, () => groups.delete(id));
    expect(await told()).toEqual([a, b]);
  });

  it('do not change the version where nothing changes', async () => {
    const id = await newGroup();
    const [a = ''] = people;
    await change(id, () => members.add(id, [a]));
    const before = await db.database.within(acme, () => groups.find(id));
    await change(id, () => members.add(id, [a]));
    const after = await db.database.within(acme, () => groups.find(id));
    expect(before.version).toBe(2);
    expect(after.version).toBe(2);
  });

  it('are people of the organisation who are not erased', async () => {
    const id = await newGroup();
    const [stranger = ''] = await addPeople(other, 1);
    const [a = ''] = people;
    await expect(change(id, () => members.add(id, [a, stranger]))).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      errors: [{ detail: `there is no person ${stranger} in the organisation` }],
    });
    expect(await inGroup(id)).toEqual([]);
    const [erased = ''] = await addPeople(acme, 1);
    await db.superuser.query(
      `UPDATE ${acme.id}.users SET status = 'erased', email = NULL, email_index = NULL WHERE id = $1`,
      [erased],
    );
    await expect(change(id, () => members.replace(id, [erased]))).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
    });
  });
});

describe('groups in groups', () => {
  it('make whoever is in the innermost one of all, and of no other organisation', async () => {
    const [a = ''] = people;
    const chain = await Promise.all(Array.from({ length: 8 }, () => newGroup()));
    const [first = ''] = chain;
    for (const [at, inner] of chain.entries()) {
      const outer = chain[at + 1];
      if (outer) await put(outer, inner);
    }
    await change(first, () => members.add(first, [a]));
    expect((await groupsOf(a)).filter((id) => chain.includes(id)).toSorted()).toEqual(chain.toSorted());
    expect(await groupsOf(a, other)).toEqual([]);
    const [last = ''] = chain.slice(-1);
    await change(last, () => subgroups.remove(last, chain));
    expect(await groupsOf(a)).not.toContain(last);
  });

  it('tell everybody inside, directly or not', async () => {
    const [a = '', b = '', c = ''] = people;
    const [outer, middle, inner] = [await newGroup(), await newGroup(), await newGroup()];
    await change(inner, () => members.add(inner, [a]));
    await change(middle, () => members.add(middle, [a, b]));
    await change(outer, () => members.add(outer, [c]));
    await put(middle, inner);
    await forget();
    await put(outer, middle);
    expect(await told()).toEqual([a, b]);
    await forget();
    await change(outer, () => subgroups.replace(outer, []));
    expect(await told()).toEqual([a, b]);
    await forget();
    await change(middle, () => groups.delete(middle));
    expect(await told()).toEqual([a, b]);
  });

  it('are never in themselves, by whatever way', async () => {
    const [a, b, c] = [await newGroup(), await newGroup(), await newGroup()];
    await expect(put(a, a)).rejects.toBeInstanceOf(GroupCycle);
    await put(a, b);
    await put(b, c);
    await expect(put(c, a)).rejects.toBeInstanceOf(GroupCycle);
    await expect(put(b, a)).rejects.toBeInstanceOf(GroupCycle);
  });

  it('are not in one another when two put them there at the same moment', async () => {
    for (let round = 0; round < 10; round += 1) {
      const [a, b] = [await newGroup(), await newGroup()];
      const outcomes = await Promise.allSettled([put(a, b), put(b, a)]);
      expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    }
  });

  it('have eight levels at most, from whichever end they grow', async () => {
    const chain = await Promise.all(Array.from({ length: 10 }, () => newGroup()));
    for (const [at, outer] of chain.slice(0, 7).entries()) await put(outer, chain[at + 1] ?? '');
    await expect(put(chain[7] ?? '', chain[8] ?? '')).rejects.toBeInstanceOf(GroupsNestedTooDeep);
    await expect(put(chain[9] ?? '', chain[0] ?? '')).rejects.toBeInstanceOf(GroupsNestedTooDeep);
    await put(chain[8] ?? '', chain[9] ?? '');
    await expect(put(chain[6] ?? '', chain[8] ?? '')).rejects.toBeInstanceOf(GroupsNestedTooDeep);
    await put(chain[5] ?? '', chain[8] ?? '');
  });

  it('and their deletion do not keep each other waiting for ever', async () => {
    const outer = await newGroup();
    const inner = await Promise.all(Array.from({ length: 12 }, () => newGroup()));
    const outcomes = await Promise.allSettled(
      inner.flatMap((id) => [put(outer, id), change(id, () => groups.delete(id))]),
    );
    const failures = outcomes.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
    // Which of the two comes first is open; a group that is gone cannot be put anywhere.
    for (const failure of failures) expect(failure).toMatchObject({ code: 'INVALID_REQUEST' });
    const left = await db.database.within(acme, () => subgroups.list(outer));
    expect(left).toEqual([]);
  });
});

it('a name is one group of a directory, whatever its case', async () => {
  const create = (displayName: string, tenant = acme) =>
    write(() => groups.create({ displayName, createdBy: 'test' }), tenant);
  await create('Operations');
  await expect(create('OPERATIONS')).rejects.toMatchObject({ code: 'GROUP_NAME_TAKEN' });
  await create('Operations', other);
});
