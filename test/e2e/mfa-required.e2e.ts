import { beforeAll, describe, expect, it } from 'vitest';
import type { BegunTotpDto, SecondFactorsDto } from '../../src/mfa/mfa.dto.js';
import { client, must, refusal } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import {
  BROWSER,
  challenged,
  daysPassed,
  eventsOf,
  login,
  proveFactor,
  setSecondFactor,
  withTotp,
} from '../support/second-factors.js';
import { sharedApplication } from '../support/shared-application.js';
import { steppedUp } from '../support/single-sign-on.js';
import { createPerson, createTenant, type TestTenant } from '../support/tenants.js';
import { codeBefore, codeNow } from '../support/totp.js';

const app = sharedApplication();
let acme: TestTenant;

beforeAll(async () => {
  acme = await createTenant(app);
});

describe('a second factor that is asked for', () => {
  it('is of Owners and Admins always, from so many days after the account began', async () => {
    const tenant = await createTenant(app);
    const admin = await createPerson(tenant.api, 'Admin');
    const viewer = await createPerson(tenant.api, 'Viewer');
    await daysPassed(app, tenant, 13);
    expect((await login(app, tenant, admin)).body).not.toHaveProperty('enrolmentOnly');
    await daysPassed(app, tenant, 1);
    expect((await login(app, tenant, tenant.owner)).body).toMatchObject({ enrolmentOnly: true });
    expect((await login(app, tenant, viewer)).body).not.toHaveProperty('enrolmentOnly');
    const { accessToken, ...rest } = (await login(app, tenant, admin)).body;
    expect(rest).toMatchObject({ enrolmentOnly: true });
    const session = client(app.baseUrl, accessToken);
    const MISSING = { status: 403, code: 'SECOND_FACTOR_MISSING' };
    for (const path of ['/v1/users', '/v1/agents', '/v1/auth/sessions', '/v1/audit/events'])
      expect(await refusal(session.get(path))).toEqual(MISSING);
    expect(await refusal(session.post('/v1/api-keys', { name: 'x', scopes: ['*:admin'] }))).toEqual(MISSING);
    expect(await refusal(session.patch('/v1/me', { displayName: 'x' }))).toEqual(MISSING);
    const change = { currentPassword: admin.password, newPassword: 'another pass phrase 2 go' };
    expect(await refusal(session.post('/v1/auth/password', change))).toEqual(MISSING);
    expect((await session.get('/v1/me')).status).toBe(200);
    const listed = await must(session.get<SecondFactorsDto>('/v1/me/second-factors'), 200);
    expect(listed).toMatchObject({ required: true, items: [] });
    expect(Date.parse(listed.requiredFrom ?? '')).toBeLessThan(Date.now());
    // API keys go on.
    expect((await tenant.api.get('/v1/users')).status).toBe(200);
  });

  it('ends where it is refreshed a session that was opened in the days of grace, once they are over', async () => {
    const tenant = await createTenant(app);
    const viewer = await createPerson(tenant.api, 'Viewer');
    await daysPassed(app, tenant, 13);
    const refresh = (refreshToken: string) =>
      client(app.baseUrl, undefined, BROWSER).post<{ refreshToken: string }>('/v1/auth/refresh', {
        refreshToken,
      });
    const opened = (await login(app, tenant, tenant.owner)).body;
    const theirs = (await login(app, tenant, viewer)).body;
    const refreshed = await must(refresh(opened.refreshToken), 200);
    await daysPassed(app, tenant, 1);
    expect(await refusal(refresh(refreshed.refreshToken))).toEqual({
      status: 401,
      code: 'INVALID_CREDENTIAL',
    });
    expect((await refresh(theirs.refreshToken)).status).toBe(200);
    // One that is good for setting up a factor goes on, and is good for nothing else.
    const anew = (await login(app, tenant, tenant.owner)).body;
    expect(anew).toMatchObject({ enrolmentOnly: true });
    expect((await refresh(anew.refreshToken)).status).toBe(200);
  });

  it('is set up by a session that is good for nothing else, which then is good for everything', async () => {
    const tenant = await createTenant(app);
    await daysPassed(app, tenant, 14);
    const { body } = await login(app, tenant, tenant.owner);
    const elsewhere = client(app.baseUrl, (await login(app, tenant, tenant.owner)).body.accessToken);
    const session = client(app.baseUrl, body.accessToken);
    const begun = await must(session.post<BegunTotpDto>('/v1/me/second-factors/totp', {}), 201);
    const path = `/v1/me/second-factors/totp/${begun.id}/confirm`;
    await must(session.post(path, { code: await codeBefore(begun.secret) }), 200);
    await eventually(async () => expect((await session.get('/v1/users')).status).toBe(200), 1_000);
    // Of another session nobody knows whose it is.
    await eventually(async () => expect((await elsewhere.get('/v1/me')).status).toBe(401), 1_000);
    expect((await login(app, tenant, tenant.owner)).status).toBe(202);
    const { accessToken } = await must<{ accessToken: string }>(
      client(app.baseUrl).post('/v1/auth/refresh', { refreshToken: body.refreshToken }),
      200,
    );
    expect((await client(app.baseUrl, accessToken).get('/v1/users')).status).toBe(200);
  });

  it('is of everybody where the organisation says so, whose days of grace begin then', async () => {
    const tenant = await createTenant(app);
    const viewer = await createPerson(tenant.api, 'Viewer');
    await daysPassed(app, tenant, 10);
    const session = await steppedUp(app, tenant);
    const set = await setSecondFactor(session, { requiredOf: 'everybody', graceDays: 1 });
    expect(set.secondFactor).toMatchObject({ requiredOf: 'everybody', graceDays: 1 });
    expect((await login(app, tenant, viewer)).body).not.toHaveProperty('enrolmentOnly');
    await setSecondFactor(session, { graceDays: 0 });
    expect((await login(app, tenant, viewer)).body).toMatchObject({ enrolmentOnly: true });
    const [event] = await eventsOf(tenant, 'auth_settings.updated');
    expect(event?.changes).toMatchObject({ secondFactor: { requiredOf: 'everybody', graceDays: 0 } });
  });

  it('is of somebody who becomes an Admin, with days of grace from then on', async () => {
    const tenant = await createTenant(app);
    const person = await createPerson(tenant.api, 'Viewer');
    await daysPassed(app, tenant, 100);
    await must(tenant.api.patch(`/v1/users/${person.id}`, { role: 'Admin' }), 200);
    expect((await login(app, tenant, person)).body).not.toHaveProperty('enrolmentOnly');
    await daysPassed(app, tenant, 14);
    expect((await login(app, tenant, person)).body).toMatchObject({ enrolmentOnly: true });
  });

  it('is of whoever is an Admin by a grant, be it a group of theirs that holds it, and as long as it does', async () => {
    const tenant = await createTenant(app);
    const person = await createPerson(tenant.api, 'Viewer');
    const other = await createPerson(tenant.api, 'Viewer');
    await daysPassed(app, tenant, 100);
    const inside = await must<{ id: string }>(tenant.api.post('/v1/groups', { displayName: 'inside' }), 201);
    const outside = await must<{ id: string }>(
      tenant.api.post('/v1/groups', { displayName: 'outside' }),
      201,
    );
    await must(tenant.api.patch(`/v1/groups/${outside.id}/members`, { addGroups: [inside.id] }), 200);
    await must(tenant.api.patch(`/v1/groups/${inside.id}/members`, { addPeople: [person.id] }), 200);
    expect((await login(app, tenant, person)).body).not.toHaveProperty('enrolmentOnly');
    const principal = { type: 'group', id: outside.id };
    const grant = await must<{ id: string }>(
      tenant.api.post('/v1/grants', { principal, role: 'Admin' }),
      201,
    );
    expect((await login(app, tenant, person)).body).toMatchObject({ enrolmentOnly: true });
    expect((await login(app, tenant, other)).body).not.toHaveProperty('enrolmentOnly');
    const asked = await tenant.api.get(`/v1/users/${person.id}/second-factors`);
    expect(asked.body).toMatchObject({ required: true });
    await must(tenant.api.delete(`/v1/grants/${grant.id}`), 204);
    expect((await login(app, tenant, person)).body).not.toHaveProperty('enrolmentOnly');
    const role = await must<{ id: string }>(
      tenant.api.post('/v1/roles', { name: 'Auditor', permissions: ['audit:export'] }),
      201,
    );
    const own = { principal: { type: 'user', id: other.id }, roleId: role.id };
    await must(tenant.api.post('/v1/grants', own), 201);
    expect((await login(app, tenant, other)).body).toMatchObject({ enrolmentOnly: true });
  });

  it.each([
    { requiredOf: 'nobody' },
    { graceDays: 31 },
    { graceDays: -1 },
    { trustedDeviceDays: 91 },
    { textMessages: 'yes' },
    { attestation: 'direct' },
    { attestation: 'direct', attestationRoots: ['no certificate'] },
    { allowedAaguids: ['x'] },
    { unknown: true },
    { requiredSince: '2026-01-01T00:00:00Z' },
  ])('is refused to be set as %j', async (change) => {
    const session = await steppedUp(app, acme);
    const { version: _, ...now } = await must(
      session.get<{ version: number; secondFactor: object }>('/v1/auth/settings'),
      200,
    );
    const body = { ...now, secondFactor: { ...now.secondFactor, ...change } };
    expect((await session.put('/v1/auth/settings', body)).status).toBe(400);
  });
});

describe('days of grace', () => {
  it('that are over stop no API key, and nobody who has a second factor', async () => {
    const tenant = await createTenant(app);
    const known = await withTotp(app, tenant, tenant.owner);
    await daysPassed(app, tenant, 100);
    expect((await tenant.api.get('/v1/users')).status).toBe(200);
    const { challenge } = await challenged(app, tenant, tenant.owner);
    const { body } = await proveFactor(app, challenge, { totp: codeNow(known.secret) });
    expect(body).not.toHaveProperty('enrolmentOnly');
    expect((await client(app.baseUrl, body.accessToken).get('/v1/users')).status).toBe(200);
  });
});
