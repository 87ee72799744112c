import { beforeAll, describe, expect, it } from 'vitest';
import type { UserDto } from '../../src/auth/auth.dto.js';
import {
  createDirectory,
  group,
  mustScim,
  PATCH,
  person,
  ScimClient,
  scimRefusal,
  type Resource,
  type ScimList,
} from '../support/scim.js';
import { sharedApplication } from '../support/shared-application.js';
import { createTenant, uniqueName, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
let acme: TestTenant;
let scim: ScimClient;
let other: ScimClient;

beforeAll(async () => {
  const [tenant, neighbour] = await Promise.all([createTenant(app), createTenant(app)]);
  acme = tenant;
  scim = (await createDirectory(app, acme, { kind: 'okta' })).scim;
  other = (await createDirectory(app, neighbour)).scim;
});

const add = (fields: object = {}): Promise<Resource> => mustScim(scim.post('/Users', person(fields)), 201);
const read = (id: string): Promise<Resource> => mustScim(scim.get(`/Users/${id}`), 200);
const addGroup = (members: readonly Resource[] = []): Promise<Resource> =>
  mustScim(scim.post('/Groups', group({ members: members.map(({ id }) => ({ value: id })) })), 201);
const membersOf = async ({ id }: Resource): Promise<string[]> =>
  (((await mustScim(scim.get(`/Groups/${id}`), 200))['members'] as { value: string }[] | undefined) ?? [])
    .map(({ value }) => value)
    .toSorted();
const ids = (...resources: Resource[]): string[] => resources.map(({ id }) => id).toSorted();

describe('Okta', () => {
  it('15 looks for who is there before it adds, in pages of a hundred, in an order that stays', async () => {
    const before = await mustScim(scim.get<ScimList>('/Users?startIndex=1&count=100'), 200);
    for (let round = 0; round < 3; round += 1) await add();
    const after = await mustScim(scim.get<ScimList>('/Users?startIndex=1&count=100'), 200);
    expect(after.Resources.slice(0, before.Resources.length).map(({ id }) => id)).toEqual(
      before.Resources.map(({ id }) => id),
    );
    expect(Number.isInteger(after.totalResults)).toBe(true);
    expect(after).toMatchObject({ startIndex: 1, totalResults: (before.totalResults ?? 0) + 3 });
    const nobody = encodeURIComponent('userName eq "nobody@people.example"');
    const none = await mustScim(scim.get<ScimList>(`/Users?filter=${nobody}&startIndex=1&count=100`), 200);
    expect(none).toMatchObject({ totalResults: 0, startIndex: 1, Resources: [] });
  });

  it('16 puts people and groups as a whole, deactivation included', async () => {
    const made = await add({ title: 'Guide' });
    const body = { ...made, active: false, title: 'Chief' };
    expect(await mustScim(scim.put(`/Users/${made.id}`, body), 200)).toMatchObject({
      active: false,
      title: 'Chief',
    });
    const [a, b] = [await add(), await add()];
    const team = await addGroup([a]);
    const put = { ...team, members: [{ value: b.id, display: 'x' }] };
    expect(await mustScim(scim.put(`/Groups/${team.id}`, put), 200)).toMatchObject({
      members: [{ value: b.id }],
    });
  });

  it('17 deactivates by a value without a path', async () => {
    const { id } = await add();
    await mustScim(scim.patch(`/Users/${id}`, { op: 'replace', value: { active: false } }), 200);
    expect(await read(id)).toMatchObject({ active: false });
    const account = (await acme.api.all<UserDto>('/v1/users')).find((user) => user.id === id);
    expect(account?.status).toBe('disabled');
  });

  it('18 sends passwords, empty groups and what it has read, which are ignored', async () => {
    const made = await add({ password: 'correct horse battery staple 9', groups: [] });
    expect(made).not.toHaveProperty('password');
    const echoed = {
      ...made,
      groups: [{ value: 'x' }],
      meta: { created: 'never' },
      password: 'another',
      id: 'other',
    };
    const put = await mustScim(scim.put(`/Users/${made.id}`, echoed), 200);
    expect(put).toMatchObject({
      id: made.id,
      userName: made['userName'],
      meta: { created: made.meta.created },
    });
    expect(put).not.toHaveProperty('password');
    await mustScim(scim.patch(`/Users/${made.id}`, { op: 'replace', value: { password: 'a third' } }), 200);
    expect(await read(made.id)).not.toHaveProperty('password');
  });

  it('19 renames a group by its id and name: members that are not named stay', async () => {
    const a = await add();
    const made = await addGroup([a]);
    const displayName = uniqueName('renamed');
    await mustScim(
      scim.patch(`/Groups/${made.id}`, { op: 'replace', value: { id: made.id, displayName } }),
      204,
    );
    expect(await mustScim(scim.get(`/Groups/${made.id}`), 200)).toMatchObject({ displayName });
    expect(await membersOf(made)).toEqual(ids(a));
  });

  it('20 pushes an empty group', async () => {
    const made = await addGroup([await add(), await add()]);
    await mustScim(scim.patch(`/Groups/${made.id}`, { op: 'replace', path: 'members', value: [] }), 204);
    expect(await membersOf(made)).toEqual([]);
  });

  it('21 takes 201 with a body, and 409 with uniqueness for who is there already', async () => {
    const body = person();
    const made = await scim.post('/Users', body);
    expect(made).toMatchObject({ status: 201, body: { userName: body.userName, active: true } });
    expect(made.headers.get('location')).toBe(made.body.meta.location);
    const again = { ...body, userName: body.userName.toUpperCase() };
    expect(await scimRefusal(scim.post('/Users', again))).toEqual({ status: 409, scimType: 'uniqueness' });
    const name = group();
    await mustScim(scim.post('/Groups', name), 201);
    expect(await scimRefusal(scim.post('/Groups', name))).toEqual({ status: 409, scimType: 'uniqueness' });
  });

  it('22 reads errors of SCIM, sends application/json, and finds a userName in capitals', async () => {
    const { id, userName } = await mustScim(
      scim.send('POST', '/Users', person(), { 'content-type': 'application/json' }),
      201,
    );
    const found = await scim.find('Users', `userName eq "${String(userName).toUpperCase()}"`);
    expect(found).toMatchObject([{ id }]);
    const nobody = '01890000-0000-7000-8000-000000000000';
    for (const path of [`/Users/${nobody}`, '/Users/x', `/Groups/${nobody}`, '/Nothing', '/Schemas/x'])
      expect(await scimRefusal(scim.get(path))).toMatchObject({ status: 404 });
    const stranger = new ScimClient(app.baseUrl, 'wrong');
    for (const path of ['/Users', '/Groups', '/ServiceProviderConfig'])
      expect(await scimRefusal(stranger.get(path))).toMatchObject({ status: 401 });
    expect(await scimRefusal(scim.send('POST', '/Users', '{"userName":'))).toEqual({
      status: 400,
      scimType: 'invalidSyntax',
    });
  });
});

describe('another organisation', () => {
  it('finds nobody and nothing of this one, and changes nothing', async () => {
    const a = await add();
    const made = await addGroup([a]);
    const before = await read(a.id);
    for (const path of [`/Users/${a.id}`, `/Groups/${made.id}`]) {
      expect(await scimRefusal(other.get(path))).toMatchObject({ status: 404 });
      expect(await scimRefusal(other.delete(path))).toMatchObject({ status: 404 });
      expect(await scimRefusal(other.patch(path, { op: 'replace', value: { active: false } }))).toMatchObject(
        {
          status: 404,
        },
      );
    }
    expect(await other.find('Users', `userName eq "${String(a['userName'])}"`)).toEqual([]);
    expect(await other.find('Groups', `displayName eq "${String(made['displayName'])}"`)).toEqual([]);
    const strangers = {
      schemas: [PATCH],
      Operations: [{ op: 'add', path: 'members', value: [{ value: a.id }] }],
    };
    const theirs = await mustScim(other.post('/Groups', group()), 201);
    expect(await scimRefusal(other.send('PATCH', `/Groups/${theirs.id}`, strangers))).toEqual({
      status: 400,
      scimType: 'invalidValue',
    });
    // The same userName may be theirs as well.
    await mustScim(other.post('/Users', person({ userName: a['userName'] })), 201);
    expect(await read(a.id)).toEqual(before);
  });
});
