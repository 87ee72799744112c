import { beforeAll, describe, expect, it } from 'vitest';
import type { CreatedDirectoryTokenDto } from '../../src/scim/directories.dto.js';
import { must } from '../support/client.js';
import { askToken, basicOf, createClient } from '../support/oauth.js';
import {
  createDirectory,
  ENTERPRISE,
  group,
  GROUP,
  mustScim,
  ownerOf,
  person,
  ScimClient,
  USER,
  type Resource,
  type ScimList,
} from '../support/scim.js';
import { sharedApplication } from '../support/shared-application.js';
import { createTenant, uniqueName, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
let acme: TestTenant;
let scim: ScimClient;

beforeAll(async () => {
  acme = await createTenant(app);
  scim = (await createDirectory(app, acme, { kind: 'entra' })).scim;
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

describe('Entra ID', () => {
  it('1 writes operations with a capital', async () => {
    const { id } = await add();
    await mustScim(scim.patch(`/Users/${id}`, { op: 'Add', path: 'title', value: 'Guide' }), 200);
    await mustScim(scim.patch(`/Users/${id}`, { op: 'Replace', path: 'title', value: 'Chief' }), 200);
    expect(await read(id)).toMatchObject({ title: 'Chief' });
    await mustScim(scim.patch(`/Users/${id}`, { op: 'Remove', path: 'title' }), 200);
    expect(await read(id)).not.toHaveProperty('title');
  });

  it.each(['False', false])(
    '2 says %j of who is not active any more, and True of who is again',
    async (value) => {
      const { id } = await add();
      await mustScim(scim.patch(`/Users/${id}`, { op: 'Replace', path: 'active', value }), 200);
      expect(await read(id)).toMatchObject({ active: false });
      await mustScim(scim.patch(`/Users/${id}`, { op: 'Replace', path: 'active', value: 'True' }), 200);
      expect(await read(id)).toMatchObject({ active: true });
    },
  );

  it('3 names by a value whom it removes from a group, and only those go', async () => {
    const people = [await add(), await add(), await add()];
    const [a, b, c] = people as [Resource, Resource, Resource];
    const made = await addGroup(people);
    const path = `/Groups/${made.id}`;
    await mustScim(scim.patch(path, { op: 'Remove', path: 'members', value: [{ value: a.id }] }), 204);
    expect(await membersOf(made)).toEqual(ids(b, c));
    await mustScim(scim.patch(path, { op: 'remove', path: `members[value eq "${b.id}"]` }), 204);
    expect(await membersOf(made)).toEqual(ids(c));
  });

  it('4 replaces without a path, with dotted names and URNs for keys', async () => {
    const { id } = await add({ name: { givenName: 'Barbara', familyName: 'Jensen' } });
    const value = { 'name.givenName': 'Babs', [`${ENTERPRISE}:department`]: 'Tours', displayName: 'Babs J' };
    await mustScim(scim.patch(`/Users/${id}`, { op: 'Replace', value }), 200);
    expect(await read(id)).toMatchObject({
      schemas: [USER, ENTERPRISE],
      displayName: 'Babs J',
      name: { givenName: 'Babs', familyName: 'Jensen' },
      [ENTERPRISE]: { department: 'Tours' },
    });
  });

  it('5 replaces the address of work of somebody who has none, and then there is one', async () => {
    const { id } = await add();
    const value = `${uniqueName('work')}@people.example`;
    await mustScim(
      scim.patch(`/Users/${id}`, { op: 'Replace', path: 'emails[type eq "work"].value', value }),
      200,
    );
    expect(await read(id)).toMatchObject({ emails: [{ type: 'work', value }] });
    expect(
      await scim.find('Users', `emails[type eq "work" and value eq "${value.toUpperCase()}"]`),
    ).toHaveLength(1);
  });

  it('6 puts what is true or false in quotes in a filter', async () => {
    const { id, userName } = await add({ roles: [{ value: 'Reader', primary: true }] });
    await mustScim(
      scim.patch(`/Users/${id}`, { op: 'Add', path: 'roles[primary eq "True"].value', value: 'Editor' }),
      200,
    );
    expect(await read(id)).toMatchObject({ roles: [{ value: 'Editor', primary: true }] });
    expect(
      await scim.find('Users', `roles[primary eq "True"] and userName eq "${String(userName)}"`),
    ).toHaveLength(1);
  });

  it('7 sends a bare id for a manager, and nothing to remove it', async () => {
    const [boss, { id }] = [await add(), await add()];
    await mustScim(
      scim.patch(`/Users/${id}`, { op: 'Add', path: `${ENTERPRISE}:manager`, value: boss.id }),
      200,
    );
    expect(await read(id)).toMatchObject({ [ENTERPRISE]: { manager: { value: boss.id } } });
    await mustScim(
      scim.patch(`/Users/${id}`, { op: 'Replace', path: `${ENTERPRISE}:manager`, value: '' }),
      200,
    );
    expect(await read(id)).not.toHaveProperty(ENTERPRISE);
  });

  it.each(['', null])('8 clears an attribute by %j', async (value) => {
    const { id } = await add({ title: 'Guide' });
    await mustScim(scim.patch(`/Users/${id}`, { op: 'Replace', path: 'title', value }), 200);
    expect(await read(id)).not.toHaveProperty('title');
  });

  it('9 adds groups with a schema of its own, and without members', async () => {
    const own = 'http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group';
    const made = await mustScim(
      scim.post('/Groups', group({ schemas: [GROUP, own], externalId: 'e-1' })),
      201,
    );
    expect(made).toMatchObject({ schemas: [GROUP], externalId: 'e-1' });
    expect(await membersOf(made)).toEqual([]);
  });

  it('10 looks for groups without their members, wants 204 for a change, and an empty list where there is none', async () => {
    const made = await addGroup([await add()]);
    const query = `?excludedAttributes=members&filter=${encodeURIComponent(`displayName eq "${String(made['displayName'])}"`)}`;
    const list = await mustScim(scim.get<ScimList>(`/Groups${query}`), 200);
    expect(list.Resources).toMatchObject([{ id: made.id }]);
    expect(list.Resources[0]).not.toHaveProperty('members');
    const renamed = await scim.patch(`/Groups/${made.id}`, {
      op: 'Replace',
      path: 'displayName',
      value: uniqueName('r'),
    });
    expect(renamed).toMatchObject({ status: 204, body: undefined });
    for (const filter of ['externalId eq "nobody" and displayName eq "x"', 'displayName eq "nobody"'])
      expect(
        await mustScim(scim.get<ScimList>(`/Groups?filter=${encodeURIComponent(filter)}`), 200),
      ).toMatchObject({
        totalResults: 0,
        Resources: [],
      });
  });

  it('11 goes on reading who is not active, as application/scim+json', async () => {
    const { id, userName } = await add({ active: false });
    const reply = await scim.get(`/Users/${id}`);
    expect(reply.headers.get('content-type')).toMatch(/^application\/scim\+json/);
    expect(reply.body).toMatchObject({ id, active: false });
    expect(await scim.find('Users', `userName eq "${String(userName)}"`)).toHaveLength(1);
  });

  it('12 needs /Groups and /Schemas, and sends 25 requests a second', async () => {
    const schemas = await mustScim(scim.get<ScimList>('/Schemas'), 200);
    expect(schemas.Resources.map(({ id }) => id)).toEqual([USER, ENTERPRISE, GROUP]);
    const replies = await Promise.all(
      Array.from({ length: 50 }, () => scim.get<ScimList>('/Groups?count=1')),
    );
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(50);
    // What is sent with them is no more than every limit lets through, all the time.
    const policies = (replies[0]?.headers.get('ratelimit-policy') ?? '').matchAll(/;q=(\d+);w=(\d+)/g);
    const perSecond = [...policies].map(([, requests, seconds]) => Number(requests) / Number(seconds));
    for (const rate of perSecond) expect(rate).toBeGreaterThanOrEqual(25);
    const added = await Promise.all(Array.from({ length: 25 }, () => scim.post('/Users', person())));
    expect(added.filter(({ status }) => status === 201)).toHaveLength(25);
  });

  it.each([60, 360])(
    '13 authenticates by OAuth client credentials, whose tokens live for %i minutes',
    async (minutes) => {
      const one = await createClient(acme.api, {
        scopes: ['scim:read', 'scim:write'],
        accessTokenMinutes: minutes,
      });
      const body = { name: uniqueName('directory'), kind: 'entra', oauthClientId: one.id };
      await must((await ownerOf(app, acme)).post('/v1/scim/directories', body), 201);
      const { status, body: token } = await askToken(app.baseUrl, {}, basicOf(one));
      expect([status, token['token_type'], token['expires_in']]).toEqual([200, 'Bearer', minutes * 60]);
      const own = new ScimClient(app.baseUrl, String(token['access_token']));
      await mustScim(own.post('/Users', person()), 201);
    },
  );

  it('13 has a token of its own for a pilot, whose life is not that of people', async () => {
    const { id } = await createDirectory(app, acme, { kind: 'entra' });
    const session = await ownerOf(app, acme);
    const made = session.post<CreatedDirectoryTokenDto>(`/v1/scim/directories/${id}/tokens`, { days: 180 });
    const { token, expiresAt } = await must(made, 201);
    expect(Date.parse(expiresAt) - Date.now()).toBeGreaterThan(179 * 86_400_000);
    await mustScim(new ScimClient(app.baseUrl, token).get('/Users?count=1'), 200);
  });

  it('14 adds a member who is there already, and that is a success', async () => {
    const a = await add();
    const made = await addGroup([a]);
    const operation = { op: 'Add', path: 'members', value: [{ value: a.id }] };
    await mustScim(scim.patch(`/Groups/${made.id}`, operation), 204);
    await mustScim(scim.patch(`/Groups/${made.id}`, operation), 204);
    expect(await membersOf(made)).toEqual(ids(a));
  });
});
