import type { ApiKeyDto, CreatedApiKeyDto } from '../../src/auth/auth.dto.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { sharedApplication } from '../support/shared-application.js';
import { client, must, refusal, type Client } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { OpenApiContract, type DocumentedRoute } from '../support/openapi-contract.js';
import { permissionOf, PERMISSIONS } from '../support/permissions.js';
import { createApiKey, createPerson, createTenant, signIn, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
let acme: TestTenant;
let routes: readonly DocumentedRoute[];

beforeAll(async () => {
  acme = await createTenant(app);
  const documented = (await OpenApiContract.of(app.baseUrl)).routes;
  routes = documented.filter((route) => scopeOf(route) && !scopeOf(route)?.startsWith('tenant:'));
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
});
