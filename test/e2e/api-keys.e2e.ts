import type { ApiKeyDto, CreatedApiKeyDto } from '../../src/auth/auth.dto.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { sharedApplication } from '../support/shared-application.js';
import { client, must, refusal, type Client } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { OpenApiContract, type DocumentedRoute } from '../support/openapi-contract.js';
import { isOfNoPerson, permissionOf, PERMISSIONS } from '../support/permissions.js';
import { createApiKey, createPerson, createTenant, signIn, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
let acme: TestTenant;
let routes: readonly DocumentedRoute[];

beforeAll(async () => {
  acme = await createTenant(app);
  const documented = (await OpenApiContract.of(app.baseUrl)).routes;
  const ofKeys = documented.filter((route) => scopeOf(route) && !isOfNoPerson(route));
  routes = ofKeys.filter((route) => !scopeOf(route)?.startsWith('tenant:'));
});

const LEVELS = ['read', 'write', 'admin'];
const DEAD = { status: 401, code: 'INVALID_CREDENTIAL' };

function scopeOf(route: DocumentedRoute): string | undefined {
  const permission = permissionOf(route);
  return permission && PERMISSIONS[permission].scope;
}

async function isLetIn(api: Client, { method, path }: DocumentedRoute): Promise<boolean> {
  const answer = await api.send<{ code?: string } | undefined>(
    method,
    path.replaceAll(/\{\w+\}/g, '01890000-0000-7000-8000-000000000000'),
  );
  expect(answer.status).not.toBe(401);
  // The scope is enough; that a person has to prove a password as well is said after it.
  return answer.status !== 403 || answer.body?.code === 'STEP_UP_NEEDS_SESSION';
}

async function clientWith(scopes: readonly string[]): Promise<Client> {
  return client(app.baseUrl, (await createApiKey(acme.api, scopes)).key);
}

describe('a key', () => {
  it('may use a route with the scope that the route needs, or a higher level of it', async () => {
    for (const scope of new Set(routes.map((route) => scopeOf(route) ?? ''))) {
      const [resource, level = ''] = scope.split(':');
      const enough = LEVELS.slice(LEVELS.indexOf(level));
      for (const granted of enough) {
        const api = await clientWith([`${resource}:${granted}`]);
        for (const route of routes.filter((route) => scopeOf(route) === scope))
          expect({ route: route.path, granted, in: await isLetIn(api, route) }).toMatchObject({ in: true });
      }
    }
  });

  it('may not use it with a lower level, nor with every scope of all other resources', async () => {
    const resources = [...new Set(routes.map((route) => scopeOf(route)?.split(':')[0] ?? ''))];
    for (const resource of resources) {
      const others = await clientWith(
        resources.filter((other) => other !== resource).map((other) => `${other}:admin`),
      );
      const reads = await clientWith([`${resource}:read`]);
      const writes = await clientWith([`${resource}:write`]);
      for (const route of routes.filter((route) => scopeOf(route)?.startsWith(`${resource}:`))) {
        const level = scopeOf(route)?.split(':')[1];
        const where = `${route.method} ${route.path}`;
        expect({ where, others: await isLetIn(others, route) }).toEqual({ where, others: false });
        const outcome = { where, reads: await isLetIn(reads, route), writes: await isLetIn(writes, route) };
        expect(outcome).toEqual({ where, reads: level === 'read', writes: level !== 'admin' });
      }
    }
  });

  it('may use nothing that only a directory or a transmitter may, whatever its scopes say', async () => {
    const api = await clientWith(['*:admin']);
    const others = (await OpenApiContract.of(app.baseUrl)).routes.filter(isOfNoPerson);
    expect(others).not.toEqual([]);
    for (const route of others)
      expect({ where: route.path, in: await isLetIn(api, route) }).toEqual({ where: route.path, in: false });
  });

  it('can do no more than the person whose key it is, whatever its scopes say', async () => {
    const developer = await createPerson(acme.api, 'Developer');
    const { accessToken } = await signIn(app, acme.slug, developer);
    const { key } = await createApiKey(client(app.baseUrl, accessToken), ['*:admin']);
    expect((await client(app.baseUrl, key).get('/v1/users')).status).toBe(403);
    expect((await client(app.baseUrl, key).get('/v1/audit/verify')).status).toBe(403);
  });

  it('makes no key that can do more than itself', async () => {
    const maker = await clientWith(['api_key:admin', 'agent:write']);
    const ask = (scopes: readonly string[]) => refusal(maker.post('/v1/api-keys', { name: 'x', scopes }));
    const exceeds = { status: 403, code: 'GRANT_EXCEEDS_OWN' };
    for (const wider of ['agent:admin', 'run:read', '*:read', '*:admin', 'user:read'])
      expect(await ask(['agent:read', wider])).toEqual(exceeds);
    expect((await ask(['agent:write', 'agent:read', 'api_key:admin'])).status).toBe(201);
  });

  it.each([
    [[]],
    [['agent']],
    [['agent:*']],
    [['tenant:admin']],
    [['*:*']],
    [['agent:read', 'agent:read']],
    ['agent:read'],
  ])('is not made with the scopes %j', async (scopes) => {
    expect((await refusal(acme.api.post('/v1/api-keys', { name: 'x', scopes }))).status).toBe(400);
  });

  it('is not made with an end in the past, or with one that is no time', async () => {
    for (const expiresAt of ['2020-01-01T00:00:00Z', 'tomorrow', '2030-W01', '2030-02-30T00:00:00Z', null]) {
      const body = { name: 'x', scopes: ['agent:read'], expiresAt };
      expect((await refusal(acme.api.post('/v1/api-keys', body))).status).toBe(400);
    }
  });

  it('is dead within a second of its revocation, and revoking it twice is no error', async () => {
    for (let round = 0; round < 5; round += 1) {
      const created = await createApiKey(acme.api, ['*:read']);
      const api = client(app.baseUrl, created.key);
      expect((await api.get('/v1/me')).status).toBe(200);
      expect((await acme.api.delete(`/v1/api-keys/${created.id}`)).status).toBe(204);
      await eventually(async () => expect(await refusal(api.get('/v1/me'))).toEqual(DEAD), 1_000);
      expect((await acme.api.delete(`/v1/api-keys/${created.id}`)).status).toBe(204);
    }
  });

  it('is shown once, and later by its prefix alone', async () => {
    const body = { name: 'shown once', scopes: ['agent:read'] };
    const created = await must(acme.api.post<CreatedApiKeyDto>('/v1/api-keys', body), 201);
    expect(created.key).toMatch(/^wax_[0-9a-f]{16}_[0-9A-Za-z]{49}$/);
    expect(created.key.startsWith(created.prefix)).toBe(true);
    const listed = await acme.api.all<ApiKeyDto>('/v1/api-keys');
    expect(listed.find(({ id }) => id === created.id)).toMatchObject({
      name: 'shown once',
      prefix: created.prefix,
    });
    expect(JSON.stringify(listed)).not.toContain(created.key);
    const events = await acme.api.all('/v1/audit/events?action=api_key.created');
    expect(JSON.stringify(events)).not.toContain(created.key);
    expect(created.prefix.length).toBeLessThan(created.key.length - 40);
  });

  it('is rotated: another of the same powers takes its place, and it goes on for as long as it is given', async () => {
    const body = { name: 'rotated', scopes: ['profile:read'], requestsPerMinute: 600 };
    const former = await must(acme.api.post<CreatedApiKeyDto>('/v1/api-keys', body), 201);
    const path = `/v1/api-keys/${former.id}/rotate`;
    const created = await must(acme.api.post<CreatedApiKeyDto>(path, { overlapSeconds: 2 }), 201);
    expect(created).toMatchObject({ name: 'rotated', scopes: ['profile:read'], requestsPerMinute: 600 });
    const [before, after] = [client(app.baseUrl, former.key), client(app.baseUrl, created.key)];
    expect([(await before.get('/v1/me')).status, (await after.get('/v1/me')).status]).toEqual([200, 200]);
    await eventually(async () => expect(await refusal(before.get('/v1/me'))).toEqual(DEAD), 5_000);
    expect((await after.get('/v1/me')).status).toBe(200);
    const listed = await acme.api.all<ApiKeyDto>('/v1/api-keys');
    expect(listed.find(({ id }) => id === former.id)).toMatchObject({ replacedBy: created.id });
    expect(await refusal(acme.api.post(path, {}))).toEqual({ status: 422, code: 'API_KEY_ENDED' });
    const events = await acme.api.all<object>('/v1/audit/events?action=api_key.rotated');
    expect(events[1]).toMatchObject({ resource: { id: former.id }, changes: { overlapSeconds: 2 } });
    expect(JSON.stringify(events)).not.toContain(created.key);
  });

  it('is rotated at once without an overlap, by its own person alone, and by a key only where that can do as much', async () => {
    const admin = await createPerson(acme.api, 'Admin');
    const other = await createTenant(app);
    const former = await createApiKey(acme.api, ['agent:write', 'api_key:admin']);
    const rotate = (api: Client, overlapSeconds: number) =>
      refusal(api.post(`/v1/api-keys/${former.id}/rotate`, { overlapSeconds }));
    const theirs = client(app.baseUrl, (await signIn(app, acme.slug, admin)).accessToken);
    const exceeds = { status: 403, code: 'GRANT_EXCEEDS_OWN' };
    expect(await rotate(theirs, 0)).toEqual(exceeds);
    expect(await rotate(other.api, 0)).toEqual({ status: 404, code: 'NOT_FOUND' });
    expect(await rotate(await clientWith(['agent:read', 'api_key:admin']), 0)).toEqual(exceeds);
    expect((await rotate(acme.api, 604_801)).status).toBe(400);
    expect((await rotate(client(app.baseUrl, former.key), 0)).status).toBe(201);
    const dead = client(app.baseUrl, former.key);
    await eventually(async () => expect(await refusal(dead.get('/v1/me'))).toEqual(DEAD), 1_000);
  });

  it('makes and rotates none that is less limited than itself: for longer, from elsewhere, more often', async () => {
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    const limits = { allowedNetworks: ['127.0.0.0/8', '::1'], requestsPerMinute: 100, expiresAt };
    const scopes = ['*:admin'];
    const limited = await must(
      acme.api.post<CreatedApiKeyDto>('/v1/api-keys', { name: 'limited', scopes, ...limits }),
      201,
    );
    const api = client(app.baseUrl, limited.key);
    const exceeds = { status: 403, code: 'GRANT_EXCEEDS_OWN' };
    // The person's own keys, each with one limit fewer, and one with none.
    for (const without of [[], ['allowedNetworks'], ['requestsPerMinute'], ['expiresAt']]) {
      const kept = Object.entries(limits).filter(([name]) => without.length > 0 && !without.includes(name));
      const wider = await must(
        acme.api.post<CreatedApiKeyDto>('/v1/api-keys', { name: 'x', scopes, ...Object.fromEntries(kept) }),
        201,
      );
      expect(await refusal(api.post(`/v1/api-keys/${wider.id}/rotate`, {}))).toEqual(exceeds);
      expect((await client(app.baseUrl, wider.key).get('/v1/me')).status).toBe(200);
    }
    const more = [{ expiresAt: '2099-01-01T00:00:00Z' }, { requestsPerMinute: 101 }];
    for (const asked of [...more, { allowedNetworks: ['0.0.0.0/0'] }])
      expect(await refusal(api.post('/v1/api-keys', { name: 'x', scopes, ...asked }))).toEqual(exceeds);
    // A client's requests are counted for no key.
    const machine = { name: 'x', role: 'Viewer', scopes: ['agent:read'] };
    expect(await refusal(api.post('/v1/oauth-clients', machine))).toEqual(exceeds);
    const child = await must(api.post<ApiKeyDto>('/v1/api-keys', { name: 'x', scopes }), 201);
    expect(child).toMatchObject(limits);
    const rotated = await must(api.post<ApiKeyDto>(`/v1/api-keys/${limited.id}/rotate`, {}), 201);
    expect(rotated).toMatchObject(limits);
  });

  it('works from the networks that it was made for, and its refusal elsewhere stands in the log', async () => {
    const body = { name: 'here', scopes: ['*:admin'], allowedNetworks: ['127.0.0.0/8', '::1'] };
    const here = client(
      app.baseUrl,
      (await must(acme.api.post<CreatedApiKeyDto>('/v1/api-keys', body), 201)).key,
    );
    expect((await here.get('/v1/me')).status).toBe(200);
    const elsewhere = { ...body, allowedNetworks: ['203.0.113.0/24'] };
    const { id, key } = await must(acme.api.post<CreatedApiKeyDto>('/v1/api-keys', elsewhere), 201);
    for (let time = 0; time < 2; time += 1)
      expect(await refusal(client(app.baseUrl, key).get('/v1/me'))).toEqual({
        status: 403,
        code: 'ADDRESS_NOT_ALLOWED',
      });
    const events = await acme.api.all<object>(`/v1/audit/events?actor=${id}`);
    expect(events[0]).toMatchObject({ outcome: 'denied', reason: 'ADDRESS_NOT_ALLOWED', actor: { id } });
    // What it makes is bound as it is.
    const child = await must(
      here.post<CreatedApiKeyDto>('/v1/api-keys', { name: 'x', scopes: ['*:read'] }),
      201,
    );
    expect(child.allowedNetworks).toEqual(body.allowedNetworks);
    expect(await refusal(here.post('/v1/api-keys', { ...body, allowedNetworks: ['0.0.0.0/0'] }))).toEqual({
      status: 403,
      code: 'GRANT_EXCEEDS_OWN',
    });
    for (const networks of [[], ['10.0.0.0/33'], ['somewhere'], [7], '10.0.0.0/8'])
      expect((await acme.api.post('/v1/api-keys', { ...body, allowedNetworks: networks })).status).toBe(400);
  });

  it('is held to the limit of its own, and no other key to it', async () => {
    const body = { name: 'slow', scopes: ['profile:read'], requestsPerMinute: 3 };
    const { key } = await must(acme.api.post<CreatedApiKeyDto>('/v1/api-keys', body), 201);
    const answers = [];
    for (let at = 0; at < 5; at += 1) answers.push(await client(app.baseUrl, key).get('/v1/me'));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429, 429]);
    expect(answers[3]?.headers.get('ratelimit-policy')).toContain('"api-key";q=3;w=60');
    expect((await acme.api.get('/v1/me')).status).toBe(200);
  });
});
