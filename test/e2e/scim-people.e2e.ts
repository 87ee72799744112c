import { hash, randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { UserDto } from '../../src/auth/auth.dto.js';
import type {
  CreatedDirectoryTokenDto,
  DirectoryDto,
  FullScimRequestDto,
  ScimRequestDto,
} from '../../src/scim/directories.dto.js';
import { publishedAgent, runIn, startRun } from '../support/agents.js';
import { client, must, refusal, type Client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import {
  createDirectory,
  group,
  mustScim,
  ownerOf,
  person,
  ScimClient,
  scimRefusal,
  USER,
} from '../support/scim.js';
import { sharedApplication } from '../support/shared-application.js';
import { steppedUp } from '../support/single-sign-on.js';
import {
  createApiKey,
  createPerson,
  createTenant,
  signIn,
  uniqueName,
  type TestTenant,
} from '../support/tenants.js';

const app = sharedApplication();
let acme: TestTenant;
let owner: Client;

beforeAll(async () => {
  acme = await createTenant(app);
  owner = await ownerOf(app, acme);
});

const accountOf = async (id: string): Promise<UserDto | undefined> =>
  (await acme.api.all<UserDto>('/v1/users')).find((user) => user.id === id);
const deactivate = { op: 'replace', value: { active: false } };

/** As if the DNS had proven it. */
async function verified(tenant: TestTenant): Promise<string> {
  const name = `${uniqueName('domain')}.example`;
  await asSuperuser(app.home, 'us-east-1', (database) =>
    database.query('INSERT INTO control.domains (name, tenant) VALUES ($1, $2)', [name, tenant.id]),
  );
  return name;
}

async function personAt(
  domain: string,
  role = 'Viewer',
): Promise<{ id: string; email: string; password: string }> {
  const body = { email: `${uniqueName('p')}@${domain}`, password: 'correct horse battery staple 1', role };
  const { id } = await must(owner.post<UserDto>('/v1/users', body), 201);
  return { id, ...body };
}

/** As if it had been mailed to somebody. */
async function mailedLink(tenant: TestTenant, userId: string): Promise<string> {
  const token = `wxp_${tenant.id.slice(2)}_${randomBytes(32).toString('base64url')}`;
  await asSuperuser(app.home, 'us-east-1', (database) =>
    database.query(
      `INSERT INTO "${tenant.id}".password_resets (token_hash, user_id, expires_at) VALUES ($1, $2, now() + interval '1 hour')`,
      [hash('sha256', token, 'buffer'), userId],
    ),
  );
  return token;
}

it('another address ends the links to a new password that were mailed to the one before, and another name does not', async () => {
  const domain = await verified(acme);
  const { scim } = await createDirectory(app, acme);
  const [moved, renamed] = [await personAt(domain), await personAt(domain)];
  const neighbour = await createTenant(app);
  const theirs = await mailedLink(neighbour, neighbour.owner.id);
  const confirm = (token: string) =>
    refusal(
      client(app.baseUrl).post('/v1/auth/password-reset/confirm', {
        token,
        password: 'Marmalade on 12 scones',
      }),
    );
  for (const { id, email } of [moved, renamed])
    expect((await mustScim(scim.post('/Users', person({ userName: email })), 201)).id).toBe(id);
  const [former, kept] = [await mailedLink(acme, moved.id), await mailedLink(acme, renamed.id)];
  const replace = (id: string, path: string, value: unknown) =>
    mustScim(scim.patch(`/Users/${id}`, { op: 'replace', path, value }), 200);
  await replace(moved.id, 'userName', `${uniqueName('moved')}@${domain}`);
  await replace(renamed.id, 'displayName', 'Somebody Else');
  expect(await confirm(former)).toEqual({ status: 422, code: 'RESET_LINK_INVALID' });
  expect((await confirm(kept)).status).toBe(204);
  expect((await confirm(theirs)).status).toBe(204);
});

describe('somebody who is here already', () => {
  it('is taken over where the address is of a verified domain, with the role that they have', async () => {
    const domain = await verified(acme);
    const here = await personAt(domain, 'Developer');
    const { scim } = await createDirectory(app, acme);
    const made = await mustScim(scim.post('/Users', person({ userName: here.email.toUpperCase() })), 201);
    expect(made.id).toBe(here.id);
    expect(await accountOf(here.id)).toMatchObject({ role: 'Developer', status: 'active' });
    const events = await acme.api.all<Record<string, unknown>>(`/v1/audit/events?resourceId=${here.id}`);
    expect(events.map(({ action }) => action)).toContain('scim_user.adopted');
  });

  it('is not, where the domain is not verified, the directory takes over nobody, or they may more than who has set it', async () => {
    const uniqueness = { status: 409, scimType: 'uniqueness' };
    const stranger = await personAt('unverified.example');
    const { scim } = await createDirectory(app, acme);
    expect(await scimRefusal(scim.post('/Users', person({ userName: stranger.email })))).toEqual(uniqueness);
    const domain = await verified(acme);
    const here = await personAt(domain);
    const refusing = (await createDirectory(app, acme, { conflicts: 'refuse' })).scim;
    expect(await scimRefusal(refusing.post('/Users', person({ userName: here.email })))).toEqual(uniqueness);
    const second = await personAt(domain, 'Owner');
    const admin = await personAt(domain, 'Admin');
    const session = await steppedUp(app, acme, admin);
    const set = await must(
      session.post<DirectoryDto>('/v1/scim/directories', { name: 'x', kind: 'okta' }),
      201,
    );
    expect(set.highestRole).toBe('Admin');
    const made = session.post<CreatedDirectoryTokenDto>(`/v1/scim/directories/${set.id}/tokens`, {});
    const ofAdmin = new ScimClient(app.baseUrl, (await must(made, 201)).token);
    expect(await scimRefusal(ofAdmin.post('/Users', person({ userName: second.email })))).toEqual(uniqueness);
    expect(await accountOf(second.id)).toMatchObject({ role: 'Owner', status: 'active' });
    // Nor is the address changed of somebody who has become more since.
    const body = person();
    const promoted = await mustScim(ofAdmin.post('/Users', body), 201);
    await must(owner.patch<UserDto>(`/v1/users/${promoted.id}`, { role: 'Owner' }), 200);
    const emails = { op: 'add', path: 'emails', value: [{ value: `taken@${domain}`, primary: true }] };
    expect(await scimRefusal(ofAdmin.patch(`/Users/${promoted.id}`, emails))).toEqual({
      status: 400,
      scimType: 'mutability',
    });
    // Access ends all the same.
    await mustScim(ofAdmin.patch(`/Users/${promoted.id}`, deactivate), 200);
    expect(await accountOf(promoted.id)).toMatchObject({ status: 'disabled' });
    // Nor by taking them away and providing them again under another address.
    await mustScim(ofAdmin.delete(`/Users/${promoted.id}`), 204);
    const again = { ...body, emails: emails.value };
    expect(await scimRefusal(ofAdmin.post('/Users', again))).toEqual({ status: 400, scimType: 'mutability' });
    expect(await accountOf(promoted.id)).toMatchObject({ email: body.userName, status: 'disabled' });
  });

  it('is not within reach of an Admin by a token of a directory that an Owner has set', async () => {
    const { id } = await createDirectory(app, acme);
    const admin = await steppedUp(app, acme, await personAt(await verified(acme), 'Admin'));
    expect(await refusal(admin.post(`/v1/scim/directories/${id}/tokens`, {}))).toEqual({
      status: 403,
      code: 'GRANT_EXCEEDS_OWN',
    });
  });
});

describe('a person who is provided', () => {
  it('is an account like all others, with the directory’s role, name and number', async () => {
    const { scim } = await createDirectory(app, acme, { defaultRole: 'Developer' });
    const body = person({
      name: { givenName: 'Barbara', familyName: 'Jensen' },
      phoneNumbers: [{ value: 'tel:+49 (30) 901-820', type: 'work' }],
    });
    const made = await mustScim(scim.post('/Users', body), 201);
    expect(await accountOf(made.id)).toMatchObject({
      email: body.userName,
      displayName: 'Barbara Jensen',
      phone: '+4930901820',
      role: 'Developer',
      status: 'active',
    });
    const nameless = await mustScim(
      scim.post('/Users', { schemas: [USER], userName: uniqueName('bjensen') }),
      201,
    );
    expect((await accountOf(nameless.id))?.email).toBe(`${nameless.id}@no-address.invalid`);
    const mapped = (
      await createDirectory(app, acme, {
        mapping: { email: 'emails[type eq "home"].value', displayName: 'nickName' },
      })
    ).scim;
    const home = `${uniqueName('home')}@people.example`;
    const emails = [
      { value: `${uniqueName('w')}@people.example`, type: 'work', primary: true },
      { value: home, type: 'home' },
    ];
    const chosen = await mustScim(mapped.post('/Users', person({ nickName: 'Babs', emails })), 201);
    expect(await accountOf(chosen.id)).toMatchObject({ email: home, displayName: 'Babs' });
  });

  it('who is taken away is not found any more, is in no group, and comes again as the same person', async () => {
    const { scim } = await createDirectory(app, acme);
    const body = person({ title: 'Guide' });
    const made = await mustScim(scim.post('/Users', body), 201);
    const team = await mustScim(scim.post('/Groups', group({ members: [{ value: made.id }] })), 201);
    await mustScim(scim.delete(`/Users/${made.id}`), 204);
    expect(await scimRefusal(scim.get(`/Users/${made.id}`))).toMatchObject({ status: 404 });
    expect(await scimRefusal(scim.delete(`/Users/${made.id}`))).toMatchObject({ status: 404 });
    expect(await scim.find('Users', `userName eq "${body.userName}"`)).toEqual([]);
    expect(await mustScim(scim.get(`/Groups/${team.id}`), 200)).not.toHaveProperty('members');
    expect(await accountOf(made.id)).toMatchObject({ status: 'disabled' });
    const again = await mustScim(scim.post('/Users', { ...body, title: 'Chief' }), 201);
    expect(again).toMatchObject({ id: made.id, title: 'Chief', active: true });
  });

  it('who is new does not come to what somebody deleted could do, by their name or address', async () => {
    const { scim } = await createDirectory(app, acme);
    const domain = await verified(acme);
    const body = person({ userName: `${uniqueName('smith')}@${domain}`, externalId: uniqueName('first') });
    const made = await mustScim(scim.post('/Users', body), 201);
    await must(owner.patch<UserDto>(`/v1/users/${made.id}`, { role: 'Admin' }), 200);
    await mustScim(scim.delete(`/Users/${made.id}`), 204);
    const uniqueness = { status: 409, scimType: 'uniqueness' };
    const hired = { ...body, externalId: uniqueName('second') };
    expect(await scimRefusal(scim.post('/Users', hired))).toEqual(uniqueness);
    // The same, found by the address alone.
    const emails = [{ value: body.userName, primary: true }];
    const renamed = person({ emails, externalId: hired.externalId });
    expect(await scimRefusal(scim.post('/Users', renamed))).toEqual(uniqueness);
    expect(await accountOf(made.id)).toMatchObject({ role: 'Admin', status: 'disabled' });
    // The former person comes again as they were, and makes room once erased.
    expect(await mustScim(scim.post('/Users', body), 201)).toMatchObject({ id: made.id });
    await mustScim(scim.delete(`/Users/${made.id}`), 204);
    await must(owner.post(`/v1/users/${made.id}/erasure`), 200);
    const other = await mustScim(scim.post('/Users', hired), 201);
    expect(other.id).not.toBe(made.id);
    expect(await accountOf(other.id)).toMatchObject({ role: 'Viewer', status: 'active' });
  });

  it('who was erased is forgotten here as well', async () => {
    const { scim } = await createDirectory(app, acme);
    const made = await mustScim(scim.post('/Users', person()), 201);
    await must(owner.post(`/v1/users/${made.id}/erasure`), 200);
    expect(await scimRefusal(scim.get(`/Users/${made.id}`))).toMatchObject({ status: 404 });
    expect(await scimRefusal(scim.patch(`/Users/${made.id}`, deactivate))).toMatchObject({ status: 404 });
    const requests = await acme.api.all<ScimRequestDto>('/v1/scim/requests');
    const created = requests.filter(({ action }) => action === 'scim_user.created');
    expect(created.length).toBeGreaterThan(0);
    for (const { id } of requests) {
      const full = await must(acme.api.get<FullScimRequestDto>(`/v1/scim/requests/${id}`), 200);
      expect(JSON.stringify(full)).not.toContain(String(made['userName']));
    }
  });

  it('who is deactivated has lost sessions, keys and runs; active again, none of them is back', async () => {
    const domain = await verified(acme);
    const here = await personAt(domain, 'Developer');
    const { scim } = await createDirectory(app, acme);
    await mustScim(scim.post('/Users', person({ userName: here.email })), 201);
    const tokens = await signIn(app, acme.slug, here);
    const session = client(app.baseUrl, tokens.accessToken);
    const key = client(app.baseUrl, (await createApiKey(session, ['*:admin'])).key);
    const agent = await publishedAgent(acme.api, { model: { name: 'demo-slow' } });
    const runs = [await startRun(session, agent.id), await startRun(key, agent.id)];
    const others = await startRun(acme.api, agent.id);
    await runIn(acme.api, runs[0]?.id ?? '', new Set(['RUNNING']));
    await mustScim(scim.patch(`/Users/${here.id}`, deactivate), 200);
    expect((await session.get('/v1/me')).status).toBe(401);
    expect((await key.get('/v1/me')).status).toBe(401);
    const anyone = client(app.baseUrl, undefined, { 'x-tenant-slug': acme.slug });
    expect((await anyone.post('/v1/auth/refresh', { refreshToken: tokens.refreshToken })).status).toBe(401);
    for (const { id } of runs) await runIn(acme.api, id, new Set(['CANCELLED']));
    await runIn(acme.api, others.id, new Set(['RUNNING', 'COMPLETED']));
    await acme.api.post(`/v1/runs/${others.id}/cancel`);
    await mustScim(scim.patch(`/Users/${here.id}`, { op: 'replace', value: { active: true } }), 200);
    expect((await session.get('/v1/me')).status).toBe(401);
    expect((await key.get('/v1/me')).status).toBe(401);
  });

  it('who is the last owner stays, and the directory is told why', async () => {
    const tenant = await createTenant(app);
    const slug = tenant.owner.email.split('@')[1] ?? '';
    await asSuperuser(app.home, 'us-east-1', (database) =>
      database.query('INSERT INTO control.domains (name, tenant) VALUES ($1, $2)', [slug, tenant.id]),
    );
    const { scim } = await createDirectory(app, tenant);
    const made = await mustScim(scim.post('/Users', person({ userName: tenant.owner.email })), 201);
    expect(made.id).toBe(tenant.owner.id);
    for (const reply of [
      await scim.patch(`/Users/${made.id}`, deactivate),
      await scim.put(`/Users/${made.id}`, { ...made, active: false }),
      await scim.delete(`/Users/${made.id}`),
    ]) {
      expect(reply.status).toBe(409);
      expect((reply.body as unknown as { detail: string }).detail).toMatch(/at least one active owner/);
    }
    expect((await tenant.api.get('/v1/me')).status).toBe(200);
    await createPerson(tenant.api, 'Owner');
    await mustScim(scim.patch(`/Users/${made.id}`, deactivate), 200);
  });
});
