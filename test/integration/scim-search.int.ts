import fc from 'fast-check';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UserEntity } from '../../src/auth/index.js';
import type { AuthConfig } from '../../src/platform/config/index.js';
import type { TenantRef } from '../../src/platform/database/index.js';
import { ScimEmailEntity, ScimUserEntity } from '../../src/scim/index.js';
import { GroupRows } from '../../src/scim/group-rows.js';
import { LongSearches } from '../../src/scim/long-searches.js';
import type { ListQuery } from '../../src/scim/list-query.js';
import { NarrowUsers } from '../../src/scim/narrow-users.js';
import { fits, type Fields } from '../../src/scim/protocol/evaluate-filter.js';
import { parseFilter } from '../../src/scim/protocol/parse-filter.js';
import { readResource } from '../../src/scim/protocol/read-resource.js';
import {
  ENTERPRISE_SCHEMA,
  GROUP_TYPE,
  USER_SCHEMA,
  USER_TYPE,
} from '../../src/scim/protocol/resource-types.js';
import type { ResourceType } from '../../src/scim/protocol/schema.js';
import { search, type Source } from '../../src/scim/search.js';
import { Sources } from '../../src/scim/sources.js';
import { UserRows } from '../../src/scim/user-rows.js';
import { UserStore } from '../../src/scim/user-store.js';
import { openSealing, type Sealing } from '../support/sealing.js';

let sealing: Sealing;
let sources: Sources;
let acme: TenantRef;
let other: TenantRef;
const DIRECTORY = uuidv7();

const EVERYTHING: ListQuery = { descending: false, startIndex: 1, count: 200, wanted: {} };
const NAMES = ['Ann', 'ann', 'ANNA', 'Änne', 'änne', 'Strauß', 'STRAUSS', 'K', 'k', '', 'a"b', 'x%_\\'];
/** Whose small letters are not those of ASCII, or not one for one. */
const SCRIPTS = ['営業部', 'Σοφός', 'ΣΟΦΌΣ', 'İzmir', 'A\u0308nne', '\u212Aelvin', 'ДОМ', 'дом', 'ẞ'];
const PEOPLE = 40;

beforeAll(async () => {
  sealing = await openSealing([UserEntity, ScimUserEntity, ScimEmailEntity]);
  const { db, lookup, openers } = sealing;
  const config = { issuer: 'https://waxell.test' } as AuthConfig;
  sources = new Sources(
    new UserRows(db.database, openers, config),
    new GroupRows(db.database, config),
    new NarrowUsers(lookup),
    new LongSearches(),
  );
  [acme, other] = [await sealing.newTenant(), await sealing.newTenant()];
  for (const tenant of [acme, other]) await fill(tenant);
});
afterAll(() => sealing.close());

/** The same directory, people of other ids, and groups, in either organisation. */
async function fill(tenant: TenantRef): Promise<void> {
  const store = new UserStore(sealing.db.database, sealing.lookup, sealing.rows);
  await sealing.db.superuser.query(
    `INSERT INTO ${tenant.id}.scim_directories (id, name, kind, state, default_role, highest_role, conflicts, mapping, created_by)
      VALUES ($1, 'x', 'generic', 'active', 'Viewer', 'Owner', 'adopt', '{}', 'x')`,
    [DIRECTORY],
  );
  const ids: string[] = [];
  for (let number = 0; number < PEOPLE; number += 1) {
    const name = NAMES[number % NAMES.length] ?? '';
    const id = await sealing.addPerson(tenant);
    ids.push(id);
    const said = readResource(USER_TYPE, {
      schemas: [USER_SCHEMA],
      userName: `${name}-${number}`,
      externalId: number % 3 === 0 ? undefined : `E${number % 5}`,
      displayName: name,
      title: number % 2 === 0 ? 'Guide' : undefined,
      emails: [
        { value: `${name}${number % 4}@x.example`, type: number % 2 === 0 ? 'work' : 'home', primary: true },
        { value: 'shared@x.example', type: 'other' },
      ],
      [ENTERPRISE_SCHEMA]: { department: `D${number % 3}` },
    } as Fields);
    await sealing.inTenant(tenant, () => store.add(DIRECTORY, id, said));
    if (number % 4 === 0)
      await sealing.db.superuser.query(`UPDATE ${tenant.id}.users SET status = 'disabled' WHERE id = $1`, [
        id,
      ]);
    await sealing.db.superuser.query(
      `UPDATE ${tenant.id}.scim_users SET created_at = '2026-01-01T00:00:00.123456Z'::timestamptz + $2 * interval '1 day' WHERE id = $1`,
      [id, number],
    );
  }
  for (const [number, name] of [...NAMES, ...SCRIPTS].filter((one) => one !== '').entries()) {
    const id = uuidv7();
    await sealing.db.superuser.query(
      `INSERT INTO ${tenant.id}.groups (id, display_name, external_id, directory, created_by) VALUES ($1, $2, $3, $4, 'x')`,
      [id, `${name} ${number}`, number % 2 === 0 ? `G${number} ${name}` : null, DIRECTORY],
    );
    const members = ids.filter((_id, at) => at % (number + 2) === 0);
    await sealing.db.superuser.query(
      `INSERT INTO ${tenant.id}.group_members (group_id, user_id) SELECT $1, unnest($2::uuid[])`,
      [id, members],
    );
    await sealing.db.superuser.query(`UPDATE ${tenant.id}.groups SET people = $2 WHERE id = $1`, [
      id,
      members.length,
    ]);
  }
}

async function idsOf(tenant: TenantRef, kind: 'people' | 'groups', query: ListQuery): Promise<string[]> {
  const found = await sealing.db.database.within(tenant, () =>
    kind === 'people' ? search(sources.people(DIRECTORY), query) : search(sources.groups(DIRECTORY), query),
  );
  expect(found.total).toBe(found.resources.length);
  return found.resources.map(({ id }) => id as string);
}

/** Everything there is, with all of its attributes. */
async function everything(kind: 'people' | 'groups'): Promise<readonly Fields[]> {
  const all = <Row extends { readonly id: string }>(source: Source<Row>) => search(source, EVERYTHING);
  return sealing.db.database.within(acme, async () =>
    kind === 'people'
      ? (await all(sources.people(DIRECTORY))).resources
      : (await all(sources.groups(DIRECTORY))).resources,
  );
}

const quoted = (text: string): string => JSON.stringify(text);

describe.each([
  [
    'people',
    USER_TYPE,
    [
      'userName',
      'externalId',
      'displayName',
      'title',
      'emails',
      'emails.value',
      `${ENTERPRISE_SCHEMA}:department`,
    ],
  ],
  ['groups', GROUP_TYPE, ['displayName', 'externalId']],
] as const)('a search of %s', (kind, type: ResourceType, texts) => {
  let all: readonly Fields[];
  let comparisons: fc.Arbitrary<string>;

  beforeAll(async () => {
    all = await everything(kind);
    const known = all.flatMap((one) => [one['userName'], one['displayName'], one['externalId']]);
    const words = [
      ...NAMES,
      ...SCRIPTS,
      '営',
      'σ',
      'σοφός 13',
      'i̇',
      'İ',
      ...known.filter((one) => typeof one === 'string'),
      'shared@x.example',
      'Ann0@X.example',
      'E1',
      'D1',
      'guide',
    ];
    const ids = fc.constantFrom(...all.map(({ id }) => id as string), ...memberIds(all), 'nobody');
    const text = fc
      .tuple(
        fc.constantFrom(...texts),
        fc.constantFrom('eq', 'ne', 'co', 'sw', 'ew', 'gt', 'le'),
        fc.constantFrom(...words),
      )
      .map(([name, operator, value]) => `${name} ${operator} ${quoted(value)}`);
    const time = fc
      .tuple(
        fc.constantFrom('meta.created', 'meta.lastModified'),
        fc.constantFrom('gt', 'ge', 'lt', 'le', 'eq', 'ne'),
        fc.constantFrom(...all.map(createdOf)),
      )
      .map(([name, operator, value]) => `${name} ${operator} ${quoted(value)}`);
    const own =
      kind === 'people'
        ? fc.oneof(
            fc.constantFrom(
              'active eq true',
              'active ne "True"',
              'title pr',
              'groups pr',
              'emails[type eq "work" and value eq "Ann0@x.example"]',
              'emails[type eq "home" and value eq "shared@x.example"]',
            ),
            ids.map((id) => `groups.value eq ${quoted(id)}`),
          )
        : fc.oneof(
            fc.constantFrom('members pr', 'externalId pr', 'displayName pr', 'members[type eq "User"]'),
            ids.map((id) => `members eq ${quoted(id)}`),
            ids.map((id) => `members[value eq ${quoted(id)}]`),
            ids.map((id) => `members[value eq ${quoted(id)} and type eq "Group"]`),
          );
    comparisons = fc.oneof(
      text,
      time,
      own,
      fc
        .tuple(fc.constantFrom('eq', 'ne', 'sw'), ids)
        .map(([operator, id]) => `id ${operator} ${quoted(id)}`),
    );
  });

  it('finds with the database what the filter itself would have, whatever the filter', async () => {
    const { tree } = fc.letrec<{ tree: string }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 3 },
        comparisons,
        fc
          .tuple(tie('tree'), fc.constantFrom('and', 'or'), tie('tree'))
          .map(([a, by, b]) => `(${a}) ${by} (${b})`),
        tie('tree').map((inner) => `not (${inner})`),
      ),
    }));
    expect(all.length).toBeGreaterThan(5);
    await fc.assert(
      fc.asyncProperty(tree, async (text) => {
        const filter = parseFilter(type, text);
        const expected = all.filter((one) => fits(filter, one)).map(({ id }) => id);
        expect(await idsOf(acme, kind, { ...EVERYTHING, filter })).toEqual(expected);
      }),
      { numRuns: 250 },
    );
  });

  it('brings the same ones by cursor, and nothing of another organisation', async () => {
    const own = new Set(all.map(({ id }) => id));
    expect((await idsOf(other, kind, EVERYTHING)).filter((id) => own.has(id))).toEqual([]);
    const seen: unknown[] = [];
    for (let cursor: string | undefined = ''; cursor !== undefined;) {
      const at: ListQuery = { ...EVERYTHING, count: 3, cursor };
      const found = await sealing.db.database.within(acme, () =>
        kind === 'people' ? search(sources.people(DIRECTORY), at) : search(sources.groups(DIRECTORY), at),
      );
      seen.push(...found.resources.map(({ id }) => id));
      cursor = found.nextCursor;
    }
    expect(seen).toEqual(all.map(({ id }) => id));
  });
});

it('a search of groups reads the members of those alone that it answers', async () => {
  const directory = uuidv7();
  await sealing.db.superuser.query(
    `INSERT INTO ${acme.id}.scim_directories (id, name, kind, state, default_role, highest_role, conflicts, mapping, created_by)
      VALUES ($1, 'y', 'generic', 'active', 'Viewer', 'Owner', 'adopt', '{}', 'x')`,
    [directory],
  );
  // As many as no answer has room for, all together.
  await sealing.db.superuser.query(
    `INSERT INTO ${acme.id}.groups (id, display_name, directory, people, created_by)
      SELECT gen_random_uuid(), '営業部 ' || n, $1, 10000, 'x' FROM generate_series(1, 11) AS n`,
    [directory],
  );
  const found = (filter: string, query: Partial<ListQuery> = {}): Promise<unknown> =>
    sealing.db.database.within(acme, async () => {
      const asked = { ...EVERYTHING, ...query, filter: parseFilter(GROUP_TYPE, filter) };
      const { resources } = await search(sources.groups(directory), asked);
      return resources.map(({ displayName }) => displayName);
    });
  expect(await found('displayName eq "x"')).toEqual([]);
  expect(await found('displayName eq "営業部 11"')).toEqual(['営業部 11']);
  // What SQL cannot tell.
  expect(await found('displayName ge "営業部 9" and displayName gt "A"')).toEqual(['営業部 9']);
  expect(await found('displayName gt "A"', { cursor: '', count: 5 })).toHaveLength(5);
});

function createdOf({ meta }: Fields): string {
  return (meta as { created: string }).created;
}

function memberIds(all: readonly Fields[]): string[] {
  return all.flatMap(({ members, groups }) =>
    ((members ?? groups ?? []) as { value: string }[]).slice(0, 2).map(({ value }) => value),
  );
}
