import { beforeAll, describe, expect, it } from 'vitest';
import type { UserDto } from '../../src/auth/auth.dto.js';
import type { CreatedClientDto } from '../../src/oauth/clients.dto.js';
import type { DirectoryDto, ScimRequestDto } from '../../src/scim/directories.dto.js';
import { grant, makeRole } from '../support/access.js';
import { client, must, refusal, type Client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { askToken, basicOf, createClient, sendForm, tokenOf } from '../support/oauth.js';
import { createDirectory, mustScim, ownerOf, person, ScimClient, type ScimList } from '../support/scim.js';
import { sharedApplication } from '../support/shared-application.js';
import { steppedUp } from '../support/single-sign-on.js';
import { createPerson, createTenant, uniqueName, type TestTenant } from '../support/tenants.js';

const SECOND = 1_000;
const PATH = '/v1/scim/directories';
const SCOPES = ['scim:read', 'scim:write'];
const app = sharedApplication();
let acme: TestTenant;
let other: TestTenant;
let owner: Client;

beforeAll(async () => {
  [acme, other] = await Promise.all([createTenant(app), createTenant(app)]);
  owner = await ownerOf(app, acme);
});

const newClient = (body: object = {}, tenant = acme): Promise<CreatedClientDto> =>
  createClient(tenant.api, { scopes: SCOPES, ...body });

/** A directory that is known by a client alone. */
async function named(
  body: object = {},
  settings: object = {},
): Promise<{ readonly directory: DirectoryDto; readonly one: CreatedClientDto }> {
  const one = await newClient(body);
  const made = { name: uniqueName('directory'), kind: 'entra', oauthClientId: one.id, ...settings };
  return { directory: await must(owner.post<DirectoryDto>(PATH, made), 201), one };
}

const scimOf = (token: string): ScimClient => new ScimClient(app.baseUrl, token);
const accountOf = async (id: string): Promise<UserDto | undefined> =>
  (await acme.api.all<UserDto>('/v1/users')).find((user) => user.id === id);

describe('a directory that names a client of OAuth', () => {
  it('is provided by its access tokens, for as long as the client is set to give', async () => {
    const { directory, one } = await named({ accessTokenMinutes: 90 });
    expect(directory.oauthClientId).toBe(one.id);
    const { status, body } = await askToken(app.baseUrl, {}, basicOf(one));
    expect([status, body['expires_in'], body['scope']]).toEqual([200, 5_400, SCOPES.join(' ')]);
    const scim = scimOf(String(body['access_token']));
    const ann = await mustScim(scim.post('/Users', person()), 201);
    expect(await accountOf(ann.id)).toMatchObject({ role: 'Viewer', status: 'active' });
    const requests = await acme.api.all<ScimRequestDto>(`/v1/scim/requests?directory=${directory.id}`);
    expect(requests).toMatchObject([{ action: 'scim_user.created', status: 201 }]);
    const [event] = await acme.api.all<object>('/v1/audit/events?action=scim_user.created');
    expect(event).toMatchObject({ actor: { type: 'directory', id: directory.id } });
  });

  it('is this one alone: people of another are not seen, and the token does nothing else', async () => {
    const apart = await createDirectory(app, acme);
    const bob = await mustScim(apart.scim.post('/Users', person()), 201);
    const { one } = await named({ role: 'Developer', scopes: ['*:admin'] });
    const token = await tokenOf(app.baseUrl, one);
    expect((await mustScim(scimOf(token).get<ScimList>('/Users'), 200)).Resources).toEqual([]);
    expect((await scimOf(token).get(`/Users/${bob.id}`)).status).toBe(404);
    const api = client(app.baseUrl, token);
    for (const path of ['/v1/me', '/v1/agents', '/v1/projects', PATH])
      expect((await api.get(path)).status).toBe(403);
  });

  it('is nobody to a client that no directory names, or whose scopes are others', async () => {
    const stranger = await newClient();
    expect((await scimOf(await tokenOf(app.baseUrl, stranger)).get('/Users')).status).toBe(403);
    const { one } = await named();
    const reading = scimOf(await tokenOf(app.baseUrl, one, { scope: 'scim:read' }));
    expect((await reading.get('/Users')).status).toBe(200);
    expect((await reading.post('/Users', person())).status).toBe(403);
  });

  const ends: Readonly<
    Record<
      string,
      (made: { directory: DirectoryDto; one: CreatedClientDto; token: string }) => Promise<unknown>
    >
  > = {
    'the token is revoked': ({ one, token }) =>
      sendForm(`${app.baseUrl}/oauth/revoke`, { token }, basicOf(one)).then(({ status }) =>
        expect(status).toBe(200),
      ),
    'the client is disabled': ({ one }) =>
      must(acme.api.patch(`/v1/oauth-clients/${one.id}`, { status: 'disabled' }), 200),
    'the client is deleted': ({ one }) => must(acme.api.delete(`/v1/oauth-clients/${one.id}`), 204),
    'the directory is disabled': ({ directory }) =>
      must(owner.patch(`${PATH}/${directory.id}`, { state: 'disabled' }), 200),
    'the directory names another': async ({ directory }) => {
      const { id } = await newClient();
      await must(owner.patch(`${PATH}/${directory.id}`, { oauthClientId: id }), 200);
    },
    'the directory names none': ({ directory }) =>
      must(owner.patch(`${PATH}/${directory.id}`, { oauthClientId: null }), 200),
  };

  it.each(Object.entries(ends))('ends within a second when %s', async (_what, end) => {
    const { directory, one } = await named();
    const token = await tokenOf(app.baseUrl, one);
    expect((await scimOf(token).get('/Users')).status).toBe(200);
    await end({ directory, one, token });
    const since = performance.now();
    while ((await scimOf(token).get('/Users')).status === 200)
      expect(performance.now() - since).toBeLessThan(SECOND);
    expect([401, 403]).toContain((await scimOf(token).get('/Users')).status);
  });

  it('goes on by its own tokens when the client is gone, and the client by itself when it is let go', async () => {
    const { directory, one } = await named({ scopes: ['*:admin'] });
    const { token } = await must(owner.post<{ token: string }>(`${PATH}/${directory.id}/tokens`, {}), 201);
    await must(owner.patch(`${PATH}/${directory.id}`, { oauthClientId: null }), 200);
    expect((await client(app.baseUrl, await tokenOf(app.baseUrl, one)).get('/v1/projects')).status).toBe(200);
    await must(owner.patch(`${PATH}/${directory.id}`, { oauthClientId: one.id }), 200);
    await must(acme.api.delete(`/v1/oauth-clients/${one.id}`), 204);
    expect((await scimOf(token).get('/Users')).status).toBe(200);
    expect(await must(owner.get<DirectoryDto>(`${PATH}/${directory.id}`), 200)).not.toHaveProperty(
      'oauthClientId',
    );
  });
});

describe('naming a client', () => {
  it('takes one of the organisation, once', async () => {
    const foreign = await newClient({}, other);
    const { one } = await named();
    const body = { name: 'x', kind: 'okta' };
    const invalid = { status: 400, code: 'INVALID_REQUEST' };
    for (const oauthClientId of [foreign.id, '01890000-0000-7000-8000-000000000000', 'x'])
      expect(await refusal(owner.post(PATH, { ...body, oauthClientId }))).toEqual(invalid);
    expect(await refusal(owner.post(PATH, { ...body, oauthClientId: one.id }))).toEqual({
      status: 409,
      code: 'CLIENT_NAMED_ALREADY',
    });
    const { id } = await newClient();
    const both = await Promise.all([1, 2].map(() => owner.post(PATH, { ...body, oauthClientId: id })));
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 409]);
  });

  it('is for who may decide over it', async () => {
    const admin = await createPerson(acme.api, 'Admin');
    const session = await steppedUp(app, acme, admin);
    const { id: oauthClientId } = await newClient({ role: 'Owner' });
    expect(await refusal(session.post(PATH, { name: 'x', kind: 'okta', oauthClientId }))).toEqual({
      status: 403,
      code: 'GRANT_EXCEEDS_OWN',
    });
  });

  it('lets nobody come further by the client than its role: neither whom it adds, nor whom it takes over', async () => {
    const one = await newClient({ role: 'Developer' });
    const body = { name: 'x', kind: 'okta', defaultRole: 'Admin', oauthClientId: one.id };
    expect(await refusal(owner.post(PATH, body))).toEqual({ status: 422, code: 'CLIENT_BELOW_DIRECTORY' });
    const directory = await must(owner.post<DirectoryDto>(PATH, { ...body, defaultRole: 'Developer' }), 201);
    expect(directory.highestRole).toBe('Owner');
    const domain = `${uniqueName('d')}.example`;
    await asSuperuser(app.home, 'us-east-1', (database) =>
      database.query('INSERT INTO control.domains (name, tenant) VALUES ($1, $2)', [domain, acme.id]),
    );
    const add = async (role: string): Promise<string> => {
      const email = `${uniqueName('p')}@${domain}`;
      await must(
        acme.api.post('/v1/users', { email, password: 'correct horse battery staple 1', role }),
        201,
      );
      return email;
    };
    const [admin, developer] = [await add('Admin'), await add('Developer')];
    const scim = scimOf(await tokenOf(app.baseUrl, one));
    expect((await scim.post('/Users', person({ userName: admin }))).status).toBe(409);
    expect((await scim.post('/Users', person({ userName: developer }))).status).toBe(201);
    await must(acme.api.patch(`/v1/oauth-clients/${one.id}`, { role: 'Viewer' }), 200);
    const lower = scimOf(await tokenOf(app.baseUrl, one));
    const added = await mustScim(lower.post('/Users', person()), 201);
    expect((await accountOf(added.id))?.role).toBe('Viewer');
    // Nor by several changes at once.
    const schemas = ['urn:ietf:params:scim:api:messages:2.0:BulkRequest'];
    const Operations = [{ method: 'POST', path: '/Users', bulkId: '1', data: person() }];
    const bulk = await mustScim(
      lower.post<{ Operations: { location: string }[] }>('/Bulk', { schemas, Operations }),
      200,
    );
    const several = bulk.Operations[0]?.location.split('/').at(-1) ?? '';
    expect((await accountOf(several))?.role).toBe('Viewer');
  });
});

it('a directory is set by whoever has the permission, a Member by a role of the organisation’s own too', async () => {
  const role = await makeRole(acme.api, ['scim_directory:read', 'scim_directory:manage']);
  const member = await createPerson(acme.api, 'Member');
  await grant(acme.api, '', member.id, { roleId: role.id });
  const session = await steppedUp(app, acme, member);
  // Nobody gives what they do not hold; what is there already they may change.
  expect(await refusal(session.post(PATH, { name: 'x', kind: 'okta' }))).toMatchObject({ status: 403 });
  const { id } = await createDirectory(app, acme);
  const path = `${PATH}/${id}`;
  expect(await must(session.patch<DirectoryDto>(path, { name: 'Renamed' }), 200)).toMatchObject({
    name: 'Renamed',
    highestRole: 'Owner',
  });
  const set = await must(session.patch<DirectoryDto>(path, { conflicts: 'refuse' }), 200);
  expect(set).toMatchObject({ conflicts: 'refuse', highestRole: 'Member' });
});
