import { beforeAll, describe, expect, it } from 'vitest';
import type { UserDto } from '../../src/auth/auth.dto.js';
import { furnished, type Furnished } from '../support/access.js';
import { client, must, type Client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { eventually } from '../support/eventually.js';
import { createDirectory, group, mustScim, ownerOf, person, type TestDirectory } from '../support/scim.js';
import { sharedApplication } from '../support/shared-application.js';
import { createTenant, signIn, uniqueName, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const WITHIN_MS = 1_000;

interface Company {
  readonly tenant: TestTenant;
  readonly owner: Client;
  readonly directory: TestDirectory;
  readonly things: Furnished;
  readonly domain: string;
}

let acme: Company;
let other: Company;

beforeAll(async () => {
  acme = await company();
  other = await company();
});

async function company(): Promise<Company> {
  const tenant = await createTenant(app);
  const domain = `${uniqueName('domain')}.example`;
  // As if the DNS had proven it.
  await asSuperuser(app.home, 'us-east-1', (database) =>
    database.query('INSERT INTO control.domains (name, tenant) VALUES ($1, $2)', [domain, tenant.id]),
  );
  return {
    tenant,
    domain,
    owner: await ownerOf(app, tenant),
    directory: await createDirectory(app, tenant),
    things: await furnished(tenant.api, 1),
  };
}

/** Somebody of a directory, who may do nothing by themselves, and a session of theirs. */
async function memberOf({ tenant, owner, directory, domain }: Company): Promise<{ id: string; api: Client }> {
  const email = `${uniqueName('p')}@${domain}`;
  const body = { email, password: 'correct horse battery staple 1', role: 'Member' };
  const { id } = await must(owner.post<UserDto>('/v1/users', body), 201);
  await mustScim(directory.scim.post('/Users', person({ userName: email })), 201);
  const { accessToken } = await signIn(app, tenant.slug, body);
  return { id, api: client(app.baseUrl, accessToken) };
}

const statusOf = async (api: Client, { things }: Company): Promise<number> =>
  (await api.get(`/v1/projects/${things.project.id}`)).status;
const member = (id: string): object[] => [{ value: id }];

describe('a role that a group of a directory holds', () => {
  it('is had by whom the provider puts into it, and within a second by nobody whom it takes out', async () => {
    const { scim } = acme.directory;
    const { id, api } = await memberOf(acme);
    const stays = await memberOf(acme);
    const made = await mustScim(scim.post('/Groups', group({ members: member(stays.id) })), 201);
    const principal = { type: 'group', id: made.id };
    const project = `/v1/projects/${acme.things.project.id}`;
    await must(acme.owner.post(`${project}/grants`, { principal, role: 'Viewer' }), 201);
    expect(await statusOf(api, acme)).toBe(403);
    await mustScim(scim.patch(`/Groups/${made.id}`, { op: 'Add', path: 'members', value: member(id) }), 204);
    await eventually(async () => expect(await statusOf(api, acme)).toBe(200), WITHIN_MS);
    const out = { op: 'Remove', path: 'members', value: member(id) };
    await mustScim(scim.patch(`/Groups/${made.id}`, out), 204);
    await eventually(async () => expect(await statusOf(api, acme)).toBe(403), WITHIN_MS);
    expect(await statusOf(stays.api, acme)).toBe(200);
    await mustScim(scim.delete(`/Groups/${made.id}`), 204);
    await eventually(async () => expect(await statusOf(stays.api, acme)).toBe(403), WITHIN_MS);
  });

  it('is all that people have whom a directory adds as Members', async () => {
    const { scim } = await createDirectory(app, acme.tenant, { defaultRole: 'Member' });
    const made = await mustScim(scim.post('/Users', person()), 201);
    const account = (await acme.tenant.api.all<UserDto>('/v1/users')).find(({ id }) => id === made.id);
    expect(account).toMatchObject({ role: 'Member', status: 'active' });
  });

  it('is had by whoever is in a group within it, as far as the provider says so', async () => {
    const { scim } = acme.directory;
    const { id, api } = await memberOf(acme);
    const inner = await mustScim(scim.post('/Groups', group({ members: member(id) })), 201);
    const outer = await mustScim(scim.post('/Groups', group()), 201);
    const principal = { type: 'group', id: outer.id };
    await must(acme.owner.post('/v1/grants', { principal, role: 'Developer' }), 201);
    expect(await statusOf(api, acme)).toBe(403);
    const add = { op: 'add', path: 'members', value: [{ value: inner.id, type: 'Group' }] };
    await mustScim(scim.patch(`/Groups/${outer.id}`, add), 204);
    await eventually(async () => expect(await statusOf(api, acme)).toBe(200), WITHIN_MS);
    await mustScim(scim.patch(`/Groups/${inner.id}`, { op: 'replace', path: 'members', value: [] }), 204);
    await eventually(async () => expect(await statusOf(api, acme)).toBe(403), WITHIN_MS);
  });

  it('cannot be given to, or had through, a group of another organisation', async () => {
    const theirs = await mustScim(other.directory.scim.post('/Groups', group()), 201);
    const { id, api } = await memberOf(acme);
    const principal = { type: 'group', id: theirs.id };
    expect((await acme.owner.post('/v1/grants', { principal, role: 'Viewer' })).status).toBe(404);
    const add = { op: 'add', path: 'members', value: member(id) };
    expect((await other.directory.scim.patch(`/Groups/${theirs.id}`, add)).status).toBeGreaterThanOrEqual(
      400,
    );
    await must(other.owner.post('/v1/grants', { principal, role: 'Developer' }), 201);
    expect(await statusOf(api, acme)).toBe(403);
    expect(await statusOf(api, other)).toBe(403);
  });
});
