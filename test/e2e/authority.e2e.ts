import { beforeAll, describe, expect, it } from 'vitest';
import type { UserDto } from '../../src/auth/auth.dto.js';
import type { CreatedDirectoryTokenDto, DirectoryDto } from '../../src/scim/directories.dto.js';
import { furnished, grant, makeRole, personOf, type Signed } from '../support/access.js';
import { client, must, refusal, type Answer, type Client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { createClient } from '../support/oauth.js';
import { mustScim, person as provided, ScimClient, scimRefusal } from '../support/scim.js';
import { sharedApplication } from '../support/shared-application.js';
import { steppedUp } from '../support/single-sign-on.js';
import { createPerson, createTenant, signIn, uniqueName, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const EXCEEDS = { status: 403, code: 'GRANT_EXCEEDS_OWN' };
const NOT_FOUND = { status: 404, code: 'NOT_FOUND' };
let acme: TestTenant;
let other: TestTenant;

beforeAll(async () => {
  [acme, other] = [await createTenant(app), await createTenant(app)];
});

/** A Member who holds these permissions, and nothing else. */
async function holding(...permissions: string[]): Promise<Signed> {
  const held = await personOf(app, acme, 'Member');
  const role = await makeRole(acme.api, permissions);
  await grant(acme.api, '', held.person.id, { roleId: role.id });
  const { accessToken } = await signIn(app, acme.slug, held.person);
  return { ...held, api: client(app.baseUrl, accessToken) };
}

/** A Member who is an Admin by a grant to a group. */
async function adminOfGroup(): Promise<Signed> {
  const held = await personOf(app, acme, 'Member');
  const name = { displayName: uniqueName('g') };
  const { id } = await must(acme.api.post<{ id: string }>('/v1/groups', name), 201);
  await must(acme.api.patch(`/v1/groups/${id}/members`, { addPeople: [held.person.id] }), 200);
  await must(acme.api.post('/v1/grants', { principal: { type: 'group', id }, role: 'Admin' }), 201);
  return held;
}

/** Everything that is decided over a person. */
const DECIDED: Readonly<Record<string, (api: Client, id: string) => Promise<Answer<unknown>>>> = {
  renamed: (api, id) => api.patch(`/v1/users/${id}`, { displayName: 'x' }),
  disabled: (api, id) => api.patch(`/v1/users/${id}`, { status: 'disabled' }),
  unlocked: (api, id) => api.post(`/v1/users/${id}/unlock`),
  'signed out': (api, id) => api.delete(`/v1/users/${id}/sessions`),
  erased: (api, id) => api.post(`/v1/users/${id}/erasure`),
  'left without factors': (api, id) => api.delete(`/v1/users/${id}/second-factors`),
};

describe('a person', () => {
  it('who is an Admin by a grant to a group is decided over by nobody who is not', async () => {
    const { person } = await adminOfGroup();
    const helper = await holding('user:read', 'user:update', 'user:erase');
    const api = await steppedUp(app, acme, helper.person);
    const stranger = await createPerson(other.api, 'Member');
    for (const [what, decide] of Object.entries(DECIDED)) {
      expect({ what, ...(await refusal(decide(api, person.id))) }).toEqual({ what, ...EXCEEDS });
      expect({ what, ...(await refusal(decide(api, stranger.id))) }).toEqual({ what, ...NOT_FOUND });
    }
  });

  it('who holds as much as somebody, or less, is decided over by them', async () => {
    const helper = await holding('user:read', 'user:update', 'project:read');
    const { project } = await furnished(acme.api, 0);
    const role = await makeRole(acme.api, ['project:read']);
    const nothing = await createPerson(acme.api, 'Member');
    const less = await createPerson(acme.api, 'Member');
    await grant(acme.api, `projects/${project.id}/`, less.id, { roleId: role.id });
    for (const { id } of [nothing, less])
      expect((await helper.api.patch(`/v1/users/${id}`, { displayName: 'x' })).status).toBe(200);
    const elsewhere = await createPerson(acme.api, 'Member');
    await grant(acme.api, `projects/${project.id}/`, elsewhere.id, { role: 'Viewer' });
    const rename = helper.api.patch(`/v1/users/${elsewhere.id}`, { displayName: 'x' });
    expect(await refusal(rename)).toEqual(EXCEEDS);
  });

  it('to whom a policy permits more is decided over by nobody who has no more', async () => {
    const tenant = await createTenant(app);
    const { person } = await personOf(app, tenant, 'Member');
    const helper = await personOf(app, tenant, 'Member');
    const role = await makeRole(tenant.api, ['user:update']);
    await grant(tenant.api, '', helper.person.id, { roleId: role.id });
    const rename = () => helper.api.patch(`/v1/users/${person.id}`, { displayName: 'x' });
    await expect.poll(async () => (await rename()).status).toBe(200);
    const owner = await steppedUp(app, tenant);
    const text = `@id("they-audit") permit (principal == User::"${person.id}", action == Action::"audit:read", resource);`;
    const { version } = await must(owner.post<{ version: number }>('/v1/access/policies', { text }), 201);
    await must(owner.post(`/v1/access/policies/${version}/activate`), 200);
    expect(await refusal(rename())).toEqual(EXCEEDS);
  });

  it('who is an Admin by a grant decides as Admins do, and over no Owner', async () => {
    const { api, person } = await adminOfGroup();
    const own = await steppedUp(app, acme, person);
    const body = { name: uniqueName('directory'), kind: 'generic' };
    const set = await must(own.post<DirectoryDto>('/v1/scim/directories', body), 201);
    expect(set.highestRole).toBe('Admin');
    const admin = await createPerson(acme.api, 'Admin');
    expect((await api.patch(`/v1/users/${admin.id}`, { displayName: 'x' })).status).toBe(200);
    const rename = api.patch(`/v1/users/${acme.owner.id}`, { displayName: 'x' });
    expect(await refusal(rename)).toEqual(EXCEEDS);
  });
});

describe('a client', () => {
  it('that was granted more than somebody holds gives them no secret, and is not theirs to change', async () => {
    const one = await createClient(acme.api, { role: 'Member' });
    const principal = { type: 'service_account', id: one.id };
    await must(acme.api.post('/v1/grants', { principal, role: 'Admin' }), 201);
    const { api } = await holding('oauth_client:manage', 'oauth_client:read');
    const path = `/v1/oauth-clients/${one.id}`;
    expect(await refusal(api.post(`${path}/rotate-secret`, {}))).toEqual(EXCEEDS);
    for (const change of [{ scopes: ['*:admin'] }, { name: 'mine' }, { allowedNetworks: ['127.0.0.1/32'] }])
      expect(await refusal(api.patch(path, change))).toEqual(EXCEEDS);
    expect(await refusal(api.delete(path))).toEqual(EXCEEDS);
    const stranger = await createClient(other.api, { role: 'Member' });
    expect(await refusal(api.delete(`/v1/oauth-clients/${stranger.id}`))).toEqual(NOT_FOUND);
    // Whoever sees that something is wrong stops it.
    expect((await api.patch(path, { status: 'disabled' })).status).toBe(200);
  });
});

describe('a directory', () => {
  it('takes over nobody, and readdresses nobody, who by a grant holds more than whoever has set it', async () => {
    const name = `${uniqueName('domain')}.example`;
    await asSuperuser(app.home, 'us-east-1', (database) =>
      database.query('INSERT INTO control.domains (name, tenant) VALUES ($1, $2)', [name, acme.id]),
    );
    const setter = await holding('scim_directory:manage', 'scim_directory:read');
    const api = await steppedUp(app, acme, setter.person);
    const body = { name: uniqueName('directory'), kind: 'generic', defaultRole: 'Member' };
    const set = await must(api.post<DirectoryDto>('/v1/scim/directories', body), 201);
    expect(set.highestRole).toBe('Member');
    const made = api.post<CreatedDirectoryTokenDto>(`/v1/scim/directories/${set.id}/tokens`, {});
    const scim = new ScimClient(app.baseUrl, (await must(made, 201)).token);
    const at = async (): Promise<UserDto> => {
      const password = 'correct horse battery staple 1';
      const email = `${uniqueName('p')}@${name}`;
      return must(acme.api.post<UserDto>('/v1/users', { email, password, role: 'Member' }), 201);
    };
    const [above, beside] = [await at(), await at()];
    await grant(acme.api, '', above.id, { role: 'Developer' });
    const taken = scim.post('/Users', provided({ userName: above.email }));
    expect(await scimRefusal(taken)).toEqual({ status: 409, scimType: 'uniqueness' });
    await mustScim(scim.post('/Users', provided({ userName: beside.email })), 201);
    await grant(acme.api, '', beside.id, { role: 'Admin' });
    const emails = { op: 'add', path: 'emails', value: [{ value: `mine@${name}`, primary: true }] };
    expect(await scimRefusal(scim.patch(`/Users/${beside.id}`, emails))).toEqual({
      status: 400,
      scimType: 'mutability',
    });
  });
});
