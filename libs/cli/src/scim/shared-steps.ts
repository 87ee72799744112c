import { Difference } from './difference.js';
import { NOBODY } from './directory.js';
import { GROUP, USER } from './resource.js';
import type { Step } from './steps.js';

/** What both providers do alike. */
export const NO_MATCH: Step = {
  name: 'no-match',
  sends: 'filters that nobody and nothing fits, eq and and',
  expects: '200 and an empty list, never 404',
  async run(directory) {
    for (const [kind, filter] of [
      ['Users', `userName eq "nobody-${directory.userName('ada')}"`],
      ['Groups', `displayName eq "${directory.groupName('nobody')}"`],
      ['Groups', `externalId eq "nobody" and displayName eq "${directory.groupName('nobody')}"`],
    ] as const) {
      if ((await directory.list(kind, filter)).length > 0)
        throw new Difference(`${kind} fit ${filter}`, 'how filters are applied: it may be ignored');
    }
  },
};

export const DUPLICATES: Step = {
  name: 'duplicates',
  sends: 'POST of a userName that is there, in capitals, and of a displayName of a group',
  expects: '409 with scimType uniqueness',
  async run(directory) {
    await directory.person('ada');
    const userName = directory.userName('ada').toUpperCase();
    const taken = { status: 409, scimType: 'uniqueness' };
    await directory.refused('POST', '/Users', taken, { body: { schemas: [USER], userName } });
    await directory.group('twice');
    const body = { schemas: [GROUP], displayName: directory.groupName('twice') };
    await directory.refused('POST', '/Groups', taken, { body });
  },
};

export const ERRORS: Step = {
  name: 'errors',
  sends: 'a token that is none, and reads of a person and a group that are not there',
  expects: '401 and 404, with bodies of SCIM',
  async run(directory) {
    await directory.refused('GET', '/Users?count=1', { status: 401 }, { token: 'not-a-token' });
    for (const kind of ['Users', 'Groups'])
      await directory.refused('GET', `/${kind}/${NOBODY}`, { status: 404 });
  },
};

export const MEMBER_TWICE: Step = {
  name: 'member-twice',
  sends: 'PATCH add of a member, and the same again',
  expects: '200 or 204 both times, and one member',
  async run(directory) {
    const ada = await directory.person('ada');
    const group = await directory.group('twice added');
    const add = { op: 'Add', path: 'members', value: [{ value: ada }] };
    await directory.patch(`/Groups/${group}`, add);
    await directory.patch(`/Groups/${group}`, add);
    await directory.expectMembers(group, [ada], 'adding who is a member: success, and no second entry');
  },
};
