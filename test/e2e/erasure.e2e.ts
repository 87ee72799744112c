import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { MeDto, TokensDto, UserDto } from '../../src/auth/auth.dto.js';
import type { Problem } from '../../src/platform/http/problem.js';
import { client, must, refusal, type Answer, type Client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { eventually } from '../support/eventually.js';
import { verified } from '../support/log-book.js';
import { rawRequest } from '../support/raw-request.js';
import { createDirectory, person } from '../support/scim.js';
import { sharedApplication } from '../support/shared-application.js';
import {
  createApiKey,
  createPerson,
  createTenant,
  signIn,
  uniqueName,
  type Person,
  type TestTenant,
} from '../support/tenants.js';

const app = sharedApplication();
const PASSWORD = 'correct horse battery staple 2';
let neighbour: TestTenant;
let acme: TestTenant;
/** The owner, with a session whose password was proved again. */
let owner: Client;

beforeAll(async () => {
  neighbour = await createTenant(app, { region: 'eu-west-1' });
});
beforeEach(async () => {
  acme = await createTenant(app, { region: 'eu-west-1' });
  owner = await provedSession(acme.owner);
});

async function provedSession(person: Person): Promise<Client> {
  const { accessToken } = await signIn(app, acme.slug, person);
  const session = client(app.baseUrl, accessToken);
  await must(session.post('/v1/auth/step-up', { password: person.password }), 200);
  return session;
}

async function refused(answer: Promise<Answer<unknown>>, status: number, code: string): Promise<void> {
  expect(await refusal(answer as Promise<Answer<Problem>>)).toMatchObject({ status, code });
}

const erase = (api: Client, id: string) => api.post<UserDto>(`/v1/users/${id}/erasure`);

describe('the particulars of a person', () => {
  it('are given by who adds them, and corrected by the person and by administrators', async () => {
    const body = { email: `${uniqueName('ann')}@people.example`, password: PASSWORD, role: 'Viewer' };
    const added = await must(acme.api.post<UserDto>('/v1/users', { ...body, phone: '+4930901820' }), 201);
    expect(added).toMatchObject({ phone: '+4930901820', status: 'active' });
    const { accessToken } = await signIn(app, acme.slug, body);
    const ann = client(app.baseUrl, accessToken);
    const me = await must(ann.patch<MeDto>('/v1/me', { displayName: 'Ann', phone: '+4930901821' }), 200);
    expect(me.user).toMatchObject({ displayName: 'Ann', phone: '+4930901821', role: 'Viewer' });
    const corrected = await must(
      acme.api.patch<UserDto>(`/v1/users/${added.id}`, { displayName: 'Anne', phone: null }),
      200,
    );
    expect(corrected).toMatchObject({ displayName: 'Anne', role: 'Viewer' });
    expect(corrected).not.toHaveProperty('phone');
    // A name is no reason to sign in again.
    expect((await must(ann.get<MeDto>('/v1/me'), 200)).user).toMatchObject({ displayName: 'Anne' });
    const listed = await acme.api.all<UserDto>('/v1/users');
    expect(listed.find(({ id }) => id === added.id)).toMatchObject({ displayName: 'Anne' });
    for (const phone of ['030901820', '+0123456789', '+49 30 901820', '+1234567890123456', 4_930_901_820])
      await refused(ann.patch('/v1/me', { phone }), 400, 'INVALID_REQUEST');
    await refused(ann.patch('/v1/me', { role: 'Owner' }), 400, 'INVALID_REQUEST');
    const told = await acme.api.all<{ action: string; outcome: string; changes?: object }>(
      '/v1/audit/events',
    );
    expect(
      told.find(({ action, outcome }) => action === 'profile.updated' && outcome === 'success')?.changes,
    ).toEqual({
      fields: ['displayName', 'phone'],
    });
  });
});

/** So many rows of a table of an organisation, and export parts of its. */
function left(tenant: TestTenant): Promise<Record<string, number>> {
  return asSuperuser(app.home, 'eu-west-1', async (database) => {
    const { rows } = await database.query<Record<string, number>>(
      `SELECT (SELECT count(*)::int FROM "${tenant.id}".sso_reports) AS reports,
        (SELECT count(*)::int FROM "${tenant.id}".scim_requests WHERE status >= 400) AS refused,
        (SELECT count(*)::int FROM "${tenant.id}".scim_requests WHERE status < 400) AS done,
        (SELECT count(*)::int FROM audit.exports WHERE tenant = $1) AS exports`,
      [tenant.id],
    );
    return rows[0] ?? {};
  });
}

/** What names people and is under no person's key: an export, a report of a test, requests of a directory. */
async function leaveCopies(tenant: TestTenant, email: string): Promise<void> {
  const { scim } = await createDirectory(app, tenant, { conflicts: 'refuse' });
  expect((await scim.post('/Users', person({ userName: email }))).status).toBe(409);
  expect((await scim.post('/Users', person())).status).toBe(201);
  const { id } = await must(tenant.api.post<{ id: string }>('/v1/audit/exports', { format: 'jsonl' }), 202);
  await eventually(async () => {
    const { status } = await must(tenant.api.get<{ status: string }>(`/v1/audit/exports/${id}`), 200);
    expect(status).toBe('READY');
  }, 30_000);
  await asSuperuser(app.home, 'eu-west-1', async (database) => {
    // Of a connection that is not there: it is about the row alone.
    await database.query(`SET session_replication_role = replica`);
    await database.query(
      `INSERT INTO "${tenant.id}".sso_reports (id, connection_id, report) VALUES (gen_random_uuid(), gen_random_uuid(), 'x')`,
    );
  });
}

describe('an erasure', () => {
  it('takes away what may name the person and is sealed for nobody, and of the neighbour nothing', async () => {
    const ann = await createPerson(acme.api, 'Viewer');
    await leaveCopies(acme, ann.email);
    await leaveCopies(neighbour, neighbour.owner.email);
    const all = { reports: 1, refused: 1, done: 1, exports: 1 };
    expect(await left(acme)).toEqual(all);
    await must(erase(owner, ann.id), 200);
    expect(await must(acme.api.get('/v1/audit/exports'), 200)).toEqual({ items: [] });
    // The request that was done is under the key of the person whom it has added.
    await eventually(
      async () => expect(await left(acme)).toEqual({ reports: 0, refused: 0, done: 1, exports: 0 }),
      10_000,
    );
    expect(await left(neighbour)).toEqual(all);
  });

  it('is for administrators who prove their password, and for nobody above them, oneself or the last owner', async () => {
    const [admin, viewer] = [await createPerson(acme.api, 'Admin'), await createPerson(acme.api, 'Viewer')];
    await refused(erase(acme.api, viewer.id), 403, 'STEP_UP_NEEDS_SESSION');
    const unproved = client(app.baseUrl, (await signIn(app, acme.slug, admin)).accessToken);
    await refused(erase(unproved, viewer.id), 403, 'STEP_UP_REQUIRED');
    await refused(erase(await provedSession(viewer), admin.id), 403, 'PERMISSION_DENIED');
    const proved = await provedSession(admin);
    await refused(erase(proved, acme.owner.id), 403, 'GRANT_EXCEEDS_OWN');
    await refused(erase(owner, acme.owner.id), 409, 'CANNOT_ERASE_SELF');
    const second = await createPerson(acme.api, 'Owner');
    await must(acme.api.patch(`/v1/users/${acme.owner.id}`, { status: 'disabled' }), 200);
    await refused(erase(await provedSession(second), second.id), 409, 'CANNOT_ERASE_SELF');
    await refused(erase(await provedSession(second), neighbour.owner.id), 404, 'NOT_FOUND');
    expect((await must(neighbour.api.get<MeDto>('/v1/me'), 200)).user?.id).toBe(neighbour.owner.id);
    await must(erase(await provedSession(second), viewer.id), 200);
    await refused(erase(await provedSession(second), viewer.id), 410, 'USER_ERASED');
    await refused(acme.api.patch(`/v1/users/${viewer.id}`, { status: 'active' }), 401, 'INVALID_CREDENTIAL');
    const anew = client(app.baseUrl, (await signIn(app, acme.slug, second)).accessToken);
    await refused(anew.patch(`/v1/users/${viewer.id}`, { status: 'active' }), 410, 'USER_ERASED');
  });

  it('ends whatever the person is signed in with, and frees the address', async () => {
    const ann = await createPerson(acme.api, 'Developer');
    const tokens = await signIn(app, acme.slug, ann);
    const session = client(app.baseUrl, tokens.accessToken);
    const key = await createApiKey(session, ['profile:read']);
    await must(erase(owner, ann.id), 200);
    for (const dead of [session, client(app.baseUrl, key.key)])
      await eventually(() => refused(dead.get('/v1/me'), 401, 'INVALID_CREDENTIAL'), 1_000);
    const anyone = client(app.baseUrl, undefined, { 'x-tenant-slug': acme.slug });
    const { email, password } = ann;
    const { refreshToken } = tokens;
    await refused(anyone.post('/v1/auth/refresh', { refreshToken }), 401, 'INVALID_CREDENTIAL');
    await refused(anyone.post('/v1/auth/login', { email, password }), 401, 'SIGN_IN_FAILED');
    const again = await must(owner.post<UserDto>('/v1/users', { email, password, role: 'Viewer' }), 201);
    expect(again.id).not.toBe(ann.id);
  });

  it('leaves nothing that tells who it was: not the lists, not the log, not a saved answer; the log still verifies', async () => {
    const canaries = {
      name: uniqueName('Ann Canary'),
      email: `${uniqueName('ann')}@people.example`,
      phone: `+49309${String(Date.now()).slice(-8)}`,
      ip: '127.0.0.77',
      userAgent: uniqueName('browser'),
    };
    const { name: displayName, email, phone } = canaries;
    const idempotent = { 'idempotency-key': uniqueName('key') };
    const body = { email, password: PASSWORD, role: 'Admin', displayName, phone };
    const ann = await must(acme.api.post<UserDto>('/v1/users', body, idempotent), 201);
    const send = (path: string, content: unknown, headers: readonly (readonly [string, string])[]) =>
      rawRequest(`${app.baseUrl}${path}`, {
        method: content === undefined ? 'GET' : 'POST',
        headers: [['User-Agent', canaries.userAgent], ['Content-Type', 'application/json'], ...headers],
        ...(content !== undefined && { body: JSON.stringify(content) }),
        localAddress: canaries.ip,
      });
    const anyone = [['X-Tenant-Slug', acme.slug]] as const;
    const login = await send('/v1/auth/login', { email, password: PASSWORD }, anyone);
    const { accessToken } = JSON.parse(login.text) as TokensDto;
    const hers = [['Authorization', `Bearer ${accessToken}`]] as const;
    expect((await send('/v1/auth/login', { email, password: 'mistyped on purpose' }, anyone)).status).toBe(
      401,
    );
    expect((await send('/v1/me', undefined, hers)).status).toBe(200);
    expect((await send('/v1/users', { email: 'nobody' }, hers)).status).toBe(400);

    const readable = async (): Promise<string[]> => {
      const read = [
        await acme.api.all<UserDto>('/v1/users'),
        await acme.api.all<object>('/v1/audit/events'),
        (await acme.api.post('/v1/users', body, idempotent)).body,
      ];
      const text = JSON.stringify(read);
      return Object.entries(canaries).flatMap(([what, value]) => (text.includes(value) ? [what] : []));
    };
    expect(await readable()).toEqual(Object.keys(canaries));
    const erased = await must(erase(owner, ann.id), 200);
    expect(erased).toMatchObject({ id: ann.id, role: 'Admin', status: 'erased' });
    expect(Object.keys(erased).toSorted()).toEqual(['createdAt', 'id', 'role', 'status', 'version']);
    await eventually(async () => expect(await readable()).toEqual([]), 1_000);
    await refused(acme.api.post('/v1/users', body, idempotent), 410, 'PERSON_ERASED');
    const events = await acme.api.all<{
      action: string;
      actor: { id: string };
      erased?: true;
      personal?: object;
    }>('/v1/audit/events');
    const own = events.filter(({ actor }) => actor.id === ann.id);
    expect(own.length).toBeGreaterThan(1);
    for (const event of own) expect(event).toMatchObject({ erased: true });
    for (const event of own) expect(event).not.toHaveProperty('personal');
    expect(events.find(({ action }) => action === 'user.erased')).toMatchObject({
      actor: { id: acme.owner.id },
    });
    await verified(acme.api);
  });
});
