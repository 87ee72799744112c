import { Difference } from './difference.js';
import type { Directory } from './directory.js';
import { ENTERPRISE, ENTRA_GROUP, GROUP, USER, type Json, type Resource } from './resource.js';
import { DUPLICATES, ERRORS, MEMBER_TWICE, NO_MATCH } from './shared-steps.js';
import type { Provider, Step } from './steps.js';

const profile = (userName: string, name: string): Resource => ({
  schemas: [USER, ENTERPRISE],
  externalId: userName.split('@')[0] ?? '',
  userName,
  active: true,
  displayName: `${name} Simulated`,
  emails: [{ primary: true, type: 'work', value: userName }],
  meta: { resourceType: 'User' },
  name: { formatted: `${name} Simulated`, familyName: 'Simulated', givenName: name },
  roles: [],
});

const pathOf = async (directory: Directory): Promise<string> => `/Users/${await directory.person('ada')}`;

const replaced = async (
  directory: Directory,
  path: string,
  attribute: string,
  value: Json,
): Promise<Resource> => {
  await directory.patch(path, { op: 'Replace', path: attribute, value });
  return directory.read(path);
};

const schemas: Step = {
  name: 'schemas',
  sends: 'GET /Schemas and /Groups, which Entra ID reads before all else',
  expects: '200; the schemas of users, of the enterprise extension and of groups',
  async run(directory) {
    const { Resources = [] } = await directory.read('/Schemas');
    const ids = new Set((Resources as readonly Resource[]).map(({ id }) => id));
    const missing = [USER, ENTERPRISE, GROUP].filter((urn) => !ids.has(urn));
    if (missing.length > 0) throw new Difference(`/Schemas has no ${missing.join(', ')}`, 'GET /Schemas');
    await directory.read('/Groups?count=1');
  },
};

const create: Step = {
  name: 'create',
  sends: 'a lookup by userName, then POST with the enterprise extension, meta and roles []',
  expects: '201 with id and userName; found by userName and by externalId',
  async run(directory) {
    const id = await directory.person('ada');
    const userName = directory.userName('ada');
    const [externalId = ''] = userName.split('@');
    directory.expect(await directory.read(`/Users/${id}`), { id, userName, externalId }, 'what was added');
    for (const filter of [`userName eq "${userName}"`, `externalId eq "${externalId}"`])
      directory.expect(await directory.list('Users', filter), [{ id }], `the filter ${filter}`);
  },
};

const capitals: Step = {
  name: 'capital-operations',
  sends: 'PATCH Add, Replace and Remove of title, with a capital',
  expects: '200 or 204; there, changed, gone',
  async run(directory) {
    const path = await pathOf(directory);
    await directory.patch(path, { op: 'Add', path: 'title', value: 'Guide' });
    directory.expect(
      await directory.read(path),
      { title: 'Guide' },
      'op is read without regard to case: Add',
    );
    const changed = await replaced(directory, path, 'title', 'Chief');
    directory.expect(changed, { title: 'Chief' }, 'op is read without regard to case: Replace');
    await directory.patch(path, { op: 'Remove', path: 'title' });
    directory.expectNone(await directory.read(path), 'title', 'op is read without regard to case: Remove');
  },
};

const active: Step = {
  name: 'deactivation',
  sends: 'PATCH Replace active by "False", then "True", then false, then true',
  expects: 'inactive and still found, then active; texts as well as booleans',
  async run(directory) {
    const path = await pathOf(directory);
    for (const [value, isActive] of [
      ['False', false],
      ['True', true],
      [false, false],
      [true, true],
    ] as const) {
      const read = await replaced(directory, path, 'active', value);
      directory.expect(read, { active: isActive }, `active as ${JSON.stringify(value)} (aadOptscim062020)`);
      const found = await directory.list('Users', `userName eq "${directory.userName('ada')}"`);
      directory.expect(found, [{ active: isActive }], 'that who is not active is found still');
    }
  },
};

const keys: Step = {
  name: 'keys-without-path',
  sends: 'PATCH Replace without a path, with "name.givenName" and the URN of department for keys',
  expects: '200 or 204; both changed, the family name as it was',
  async run(directory) {
    const path = await pathOf(directory);
    const value = { 'name.givenName': 'Adah', [`${ENTERPRISE}:department`]: 'Tours' };
    await directory.patch(path, { op: 'Replace', value });
    const expected = {
      name: { givenName: 'Adah', familyName: 'Simulated' },
      [ENTERPRISE]: { department: 'Tours' },
    };
    directory.expect(await directory.read(path), expected, 'dotted keys and keys that are URNs in a value');
  },
};

const filteredPaths: Step = {
  name: 'filtered-paths',
  sends:
    'PATCH Remove of emails, then Replace of emails[type eq "work"].value; Add of roles[primary eq "True"].value, and the same as a filter',
  expects: 'the address is made; the role has the value, and is found',
  async run(directory) {
    const path = await pathOf(directory);
    const value = directory.userName('ada');
    await directory.patch(path, { op: 'Remove', path: 'emails' });
    const read = await replaced(directory, path, 'emails[type eq "work"].value', value);
    directory.expect(
      read,
      { emails: [{ type: 'work', value }] },
      'a filter in a path that fits nothing: it is made',
    );
    await directory.patch(path, {
      op: 'Replace',
      path: 'roles',
      value: [{ value: 'Reader', primary: true }],
    });
    await directory.patch(path, { op: 'Add', path: 'roles[primary eq "True"].value', value: 'Editor' });
    const roles = { roles: [{ value: 'Editor' }] };
    directory.expect(await directory.read(path), roles, 'a boolean in quotes, in a filter of a path');
    const found = await directory.list('Users', `roles[primary eq "True"] and userName eq "${value}"`);
    directory.expect(found, [roles], 'a boolean in quotes, in a filter');
  },
};

const manager: Step = {
  name: 'manager',
  sends: 'PATCH Add of manager as a bare id, then Replace by ""',
  expects: 'the manager, then none',
  async run(directory) {
    const [path, boss] = [await pathOf(directory), await directory.person('ben')];
    const attribute = `${ENTERPRISE}:manager`;
    await directory.patch(path, { op: 'Add', path: attribute, value: boss });
    const expected = { [ENTERPRISE]: { manager: { value: boss } } };
    directory.expect(await directory.read(path), expected, 'manager as a bare id');
    const after = await replaced(directory, path, attribute, '');
    const extension = (after[ENTERPRISE] ?? {}) as Resource;
    directory.expectNone(extension, 'manager', 'manager replaced by nothing: it is removed');
  },
};

const cleared: Step = {
  name: 'cleared',
  sends: 'PATCH Replace of title by "", and by null',
  expects: 'no title',
  async run(directory) {
    const path = await pathOf(directory);
    for (const nothing of ['', null]) {
      directory.expect(
        await replaced(directory, path, 'title', 'Guide'),
        { title: 'Guide' },
        'Replace of title',
      );
      const after = await replaced(directory, path, 'title', nothing);
      directory.expectNone(
        after,
        'title',
        `an attribute replaced by ${JSON.stringify(nothing)}: it is cleared`,
      );
    }
  },
};

const group: Step = {
  name: 'group',
  sends:
    "POST of a group with Microsoft's own schema and no members, a lookup and a read with excludedAttributes=members, a rename",
  expects: '201; found by name, without members; 204 for the rename',
  async run(directory) {
    const externalId = directory.groupName('external');
    const id = await directory.group('made', [], {
      schemas: [GROUP, ENTRA_GROUP],
      externalId,
    });
    const ada = await directory.person('ada');
    await directory.patch(`/Groups/${id}`, { op: 'Add', path: 'members', value: [{ value: ada }] });
    const [query, filter] = ['excludedAttributes=members', `displayName eq "${directory.groupName('made')}"`];
    const found = await directory.list('Groups', filter, `&${query}`);
    directory.expect(found, [{ id, externalId }], 'the filter on displayName');
    for (const read of [found[0] ?? {}, await directory.read(`/Groups/${id}?${query}`)])
      directory.expectNone(read, 'members', query);
    const displayName = await directory.freeGroupName('made anew');
    const { status } = await directory.patch(`/Groups/${id}`, {
      op: 'Replace',
      path: 'displayName',
      value: displayName,
    });
    if (status !== 204)
      throw new Difference(`the rename was answered ${status}`, 'Entra ID wants 204 for groups');
    directory.expect(await directory.read(`/Groups/${id}`), { displayName }, 'Replace of displayName');
    await directory.expectMembers(id, [ada], 'the members of a renamed group: they stay');
  },
};

const members: Step = {
  name: 'group-members',
  sends:
    'PATCH Add of three members; Remove of members with one as the value, and of members[value eq "..."]',
  expects: 'each takes away that one alone; the first does not empty the group',
  async run(directory) {
    const ids = [await directory.person('ada'), await directory.person('ben'), await directory.person('cyd')];
    const [ada = '', ben = '', cyd = ''] = ids;
    const made = await directory.group('members');
    const path = `/Groups/${made}`;
    await directory.patch(path, { op: 'Add', path: 'members', value: ids.map((value) => ({ value })) });
    await directory.expectMembers(made, ids, 'Add of several members');
    await directory.patch(path, { op: 'Remove', path: 'members', value: [{ value: ada }] });
    await directory.expectMembers(
      made,
      [ben, cyd],
      'Remove of members with a value: those that it lists, no others',
    );
    await directory.patch(path, { op: 'Remove', path: `members[value eq "${ben}"]` });
    await directory.expectMembers(made, [cyd], 'Remove with a filter in the path');
  },
};

const removal: Step = {
  name: 'removal',
  sends: 'PATCH Replace active by false, then DELETE, as thirty days later',
  expects: '200 or 204, then 204, then 404 and found no more',
  async run(directory) {
    const id = await directory.person('cyd');
    await replaced(directory, `/Users/${id}`, 'active', false);
    await directory.takeAway('cyd');
    await directory.refused('GET', `/Users/${id}`, { status: 404 });
    const found = await directory.list('Users', `userName eq "${directory.userName('cyd')}"`);
    directory.expect(found, [], 'lists: who was deleted is in none');
  },
};

export const ENTRA: Provider = {
  title: 'Entra ID',
  profile,
  steps: [
    schemas,
    NO_MATCH,
    create,
    DUPLICATES,
    capitals,
    active,
    keys,
    filteredPaths,
    manager,
    cleared,
    group,
    members,
    MEMBER_TWICE,
    removal,
    ERRORS,
  ],
};
