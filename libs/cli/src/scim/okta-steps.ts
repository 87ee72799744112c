import { Difference } from './difference.js';
import type { Directory } from './directory.js';
import { GROUP, USER, type Resource } from './resource.js';
import { DUPLICATES, ERRORS, MEMBER_TWICE, NO_MATCH } from './shared-steps.js';
import type { Provider, Step } from './steps.js';

const profile = (userName: string, name: string): Resource => ({
  schemas: [USER],
  userName,
  name: { givenName: name, familyName: 'Simulated' },
  emails: [{ primary: true, value: userName, type: 'work' }],
  displayName: `${name} Simulated`,
  locale: 'en-US',
  externalId: `00u-${userName.split('@')[0]}`,
  groups: [],
  password: 'Simulated-and-forgotten-1',
  active: true,
});

const whole = (directory: Directory, fields: Resource): Resource => ({
  ...profile(directory.userName('ada'), 'ada'),
  ...fields,
});

const activity = async (directory: Directory, path: string, active: boolean): Promise<void> =>
  directory.expect(await directory.read(path), { active }, 'active, and that who is not stays readable');

const pages: Step = {
  name: 'pages',
  sends: 'GET of people and groups from 1, 100 a page, twice',
  expects: 'whole numbers, 100 at most, the same order both times',
  async run(directory) {
    for (const kind of ['Users', 'Groups']) {
      const read = () => directory.read(`/${kind}?startIndex=1&count=100`);
      const [first, again] = [await read(), await read()];
      for (const count of ['totalResults', 'startIndex', 'itemsPerPage'])
        if (!Number.isInteger(first[count]))
          throw new Difference(`${count} is no whole number`, 'the ListResponse, RFC 7644 section 3.4.2');
      const ids = [first, again].map(({ Resources = [] }) =>
        (Resources as readonly Resource[]).map(({ id = '' }) => JSON.stringify(id)),
      );
      const [one = [], other = []] = ids;
      if (one.length > 100) throw new Difference(`${one.length} on a page of 100`, 'count');
      // Others may come and go in between.
      const [kept, stayed] = [one.filter((id) => other.includes(id)), other.filter((id) => one.includes(id))];
      if (kept.join() !== stayed.join())
        throw new Difference(`${kind} come in another order the second time`, 'ORDER BY of lists');
    }
  },
};

const create: Step = {
  name: 'create',
  sends:
    'a lookup by userName, then POST as application/json with a password and groups [], then a lookup in capitals',
  expects: '201 with id and userName, no password; the lookup finds the same person',
  async run(directory) {
    const id = await directory.person('ada');
    const made = await directory.read(`/Users/${id}`);
    directory.expect(made, { id, userName: directory.userName('ada') }, 'what was added');
    directory.expectNone(made, 'password', 'password: it is never returned (RFC 7643 section 4.1.1)');
    const filter = `userName eq "${directory.userName('ada').toUpperCase()}"`;
    const found = await directory.list('Users', filter, '&startIndex=1&count=100');
    directory.expect(found, [{ id }], 'userName is compared without regard to case (RFC 7643 section 4.1.1)');
  },
};

const putPerson: Step = {
  name: 'put-person',
  sends:
    'PUT of the whole person as read, with a title, another password, and id, meta and groups that are not so',
  expects: '200 with the title; id and meta.created as they were',
  async run(directory) {
    const path = `/Users/${await directory.person('ada')}`;
    const { id = '', meta = {}, ...before } = await directory.read(path);
    const body = whole(directory, {
      ...before,
      title: 'Guide',
      id: 'another',
      meta: { created: '1999-01-01T00:00:00Z' },
      groups: [{ value: 'another' }],
      password: 'Simulated-and-forgotten-2',
    });
    await directory.send('PUT', path, [200], { body });
    const { created = null } = meta as Resource;
    const expected = { id, title: 'Guide', active: true, meta: { created } };
    const after = await directory.read(path);
    directory.expect(after, expected, 'PUT: what is read-only is ignored, RFC 7644 section 3.5.1');
    directory.expectNone(after, 'password', 'password: it is never returned');
  },
};

const putActive: Step = {
  name: 'put-deactivation',
  sends: 'PUT of the whole person with active false, then true (an integration made by the wizard)',
  expects: '200; inactive and still readable, then active',
  async run(directory) {
    const path = `/Users/${await directory.person('ada')}`;
    for (const active of [false, true]) {
      await directory.send('PUT', path, [200], { body: whole(directory, { active }) });
      await activity(directory, path, active);
    }
  },
};

const patchActive: Step = {
  name: 'patch-deactivation',
  sends: 'PATCH replace {"active":false} without a path, then true (an integration of the catalogue)',
  expects: '200 or 204; inactive and still readable, then active',
  async run(directory) {
    const path = `/Users/${await directory.person('ada')}`;
    for (const active of [false, true]) {
      await directory.patch(path, { op: 'replace', value: { active } });
      await activity(directory, path, active);
    }
  },
};

const patchPassword: Step = {
  name: 'patch-password',
  sends: 'PATCH replace {"password":...} without a path',
  expects: '200 or 204; no password when read',
  async run(directory) {
    const path = `/Users/${await directory.person('ada')}`;
    await directory.patch(path, { op: 'replace', value: { password: 'Simulated-and-forgotten-3' } });
    directory.expectNone(await directory.read(path), 'password', 'password: taken, and never returned');
  },
};

const rename: Step = {
  name: 'rename-group',
  sends: 'PATCH replace {"id":...,"displayName":...} without a path',
  expects: '200 or 204; the new name, the members as they were',
  async run(directory) {
    const ada = await directory.person('ada');
    const group = await directory.group('named', [ada]);
    const displayName = await directory.freeGroupName('renamed');
    await directory.patch(`/Groups/${group}`, { op: 'replace', value: { id: group, displayName } });
    directory.expect(
      await directory.read(`/Groups/${group}`),
      { displayName },
      'path-less replace of a group',
    );
    await directory.expectMembers(group, [ada], 'members that are not named: they stay');
  },
};

const members: Step = {
  name: 'group-members',
  sends: 'PATCH add of a member, and remove of members[value eq "..."]',
  expects: '200 or 204; exactly those are members',
  async run(directory) {
    const [ada, ben] = [await directory.person('ada'), await directory.person('ben')];
    const group = await directory.group('members', [ada]);
    const path = `/Groups/${group}`;
    await directory.patch(path, { op: 'add', path: 'members', value: [{ value: ben, display: 'ben' }] });
    await directory.expectMembers(group, [ada, ben], 'add of members');
    await directory.patch(path, { op: 'remove', path: `members[value eq "${ada}"]` });
    await directory.expectMembers(group, [ben], 'remove with a filter in the path');
  },
};

const putGroup: Step = {
  name: 'put-group',
  sends: 'PUT of the whole group with another member (an integration made by the wizard)',
  expects: '200; the new member alone',
  async run(directory) {
    const [ada, ben] = [await directory.person('ada'), await directory.person('ben')];
    const group = await directory.group('put', [ada]);
    const displayName = directory.groupName('put');
    const body = { schemas: [GROUP], id: group, displayName, members: [{ value: ben, display: 'ben' }] };
    await directory.send('PUT', `/Groups/${group}`, [200], { body });
    await directory.expectMembers(group, [ben], 'PUT of members: those that are not named are gone');
  },
};

const emptyPush: Step = {
  name: 'empty-push',
  sends: 'PATCH replace members []',
  expects: '200 or 204; no members',
  async run(directory) {
    const group = await directory.group('emptied', [await directory.person('ada')]);
    await directory.patch(`/Groups/${group}`, { op: 'replace', path: 'members', value: [] });
    await directory.expectMembers(group, [], 'replace of members by an empty list');
  },
};

const unlink: Step = {
  name: 'unlink-group',
  sends: 'DELETE of a pushed group',
  expects: '204, then 404; its members are people still',
  async run(directory) {
    const ada = await directory.person('ada');
    const group = await directory.group('unlinked', [ada]);
    await directory.send('DELETE', `/Groups/${group}`, [204]);
    await directory.refused('GET', `/Groups/${group}`, { status: 404 });
    await activity(directory, `/Users/${ada}`, true);
  },
};

export const OKTA: Provider = {
  title: 'Okta',
  profile,
  steps: [
    pages,
    NO_MATCH,
    create,
    DUPLICATES,
    putPerson,
    putActive,
    patchActive,
    patchPassword,
    rename,
    members,
    MEMBER_TWICE,
    putGroup,
    emptyPush,
    unlink,
    ERRORS,
  ],
};
