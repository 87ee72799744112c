import { beforeAll, describe, expect, it } from 'vitest';
import type { ClientDto, CreatedClientDto } from '../../src/oauth/clients.dto.js';
import { client, must, refusal, type Client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { eventually } from '../support/eventually.js';
import { askToken, basic, basicOf, createClient, saidOf, tokenOf, whoIs } from '../support/oauth.js';
import { OpenApiContract } from '../support/openapi-contract.js';
import { sharedApplication } from '../support/shared-application.js';
import { createApiKey, createPerson, createTenant, signIn, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const EXCEEDS = { status: 403, code: 'GRANT_EXCEEDS_OWN' };
const BODY = { name: 'x', role: 'Developer', scopes: ['agent:read'] };
let acme: TestTenant;
let other: TestTenant;
let machine: CreatedClientDto;
let foreign: CreatedClientDto;

beforeAll(async () => {
  [acme, other] = [await createTenant(app), await createTenant(app)];
  [machine, foreign] = [await createClient(acme.api), await createClient(other.api)];
});

describe('whoever sets clients', () => {
  const make = (api: Client, body: object = {}) =>
    refusal(api.post('/v1/oauth-clients', { ...BODY, ...body }));
  const asPerson = async (role: string): Promise<Client> => {
    const person = await createPerson(acme.api, role);
    return client(app.baseUrl, (await signIn(app, acme.slug, person)).accessToken);
  };

  it('is an administrator, and gives no role above their own', async () => {
    const [admin, developer] = [await asPerson('Admin'), await asPerson('Developer')];
    expect((await make(developer)).code).toBe('PERMISSION_DENIED');
    expect((await refusal(developer.get('/v1/oauth-clients'))).code).toBe('PERMISSION_DENIED');
    expect(await make(admin, { role: 'Owner' })).toEqual(EXCEEDS);
    const owners = await createClient(acme.api, { role: 'Owner' });
    const path = `/v1/oauth-clients/${owners.id}`;
    // Its secret would make an Owner of an Admin.
    expect(await refusal(admin.post(`${path}/rotate-secret`, {}))).toEqual(EXCEEDS);
    expect(await refusal(admin.patch(path, { role: 'Viewer' }))).toEqual(EXCEEDS);
    expect(await refusal(admin.patch(path, { status: 'disabled' }))).toEqual(EXCEEDS);
    expect(await refusal(admin.delete(path))).toEqual(EXCEEDS);
    expect((await refusal(admin.patch(path, { name: 'mine' }))).code).toBe('GRANT_EXCEEDS_OWN');
  });

  it('does so with no more than a key or client has that does it', async () => {
    const key = await createApiKey(acme.api, ['oauth_client:admin', 'agent:write']);
    const narrow = client(app.baseUrl, key.key);
    expect(await make(narrow, { scopes: ['agent:admin'] })).toEqual(EXCEEDS);
    expect(await refusal(narrow.post(`/v1/oauth-clients/${machine.id}/rotate-secret`, {}))).toEqual(EXCEEDS);
    const wide = { scopes: ['run:admin'] };
    const made = await must(narrow.post<ClientDto>('/v1/oauth-clients', BODY), 201);
    expect(await refusal(narrow.patch(`/v1/oauth-clients/${made.id}`, wide))).toEqual(EXCEEDS);
    // Whoever sees that something is wrong can stop it.
    const stopped = await createClient(acme.api);
    const off = narrow.patch<ClientDto>(`/v1/oauth-clients/${stopped.id}`, { status: 'disabled' });
    expect((await must(off, 200)).status).toBe('disabled');
    const on = narrow.patch(`/v1/oauth-clients/${stopped.id}`, { status: 'active' });
    expect(await refusal(on)).toEqual(EXCEEDS);
  });

  it('as a client makes none that lives longer, elsewhere or unbound, and neither keys nor people above it', async () => {
    const networks = ['127.0.0.0/8', '::1'];
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    const limits = { allowedNetworks: networks, expiresAt, accessTokenMinutes: 30 };
    const maker = await createClient(acme.api, { role: 'Admin', ...limits });
    const api = client(app.baseUrl, await tokenOf(app.baseUrl, maker));
    const child = await must(
      api.post<ClientDto>('/v1/oauth-clients', { ...BODY, accessTokenMinutes: 30 }),
      201,
    );
    expect(child).toMatchObject({ allowedNetworks: networks, expiresAt, createdBy: maker.id });
    const beyond = [
      {},
      { accessTokenMinutes: 30, allowedNetworks: ['0.0.0.0/0'] },
      { accessTokenMinutes: 30, expiresAt: '2099-01-01T00:00:00Z' },
      { accessTokenMinutes: 30, role: 'Owner' },
    ];
    for (const body of beyond) expect(await make(api, body)).toEqual(EXCEEDS);
    const own = `/v1/oauth-clients/${maker.id}`;
    for (const body of [{ expiresAt: null }, { allowedNetworks: null }, { accessTokenMinutes: 60 }])
      expect(await refusal(api.patch(own, body))).toEqual(EXCEEDS);
    expect(await refusal(api.post('/v1/api-keys', { name: 'x', scopes: ['agent:read'] }))).toEqual({
      status: 403,
      code: 'KEY_NEEDS_PERSON',
    });
    const person = {
      email: `x@${acme.slug}.example`,
      password: 'correct horse battery staple 1',
      role: 'Owner',
    };
    expect(await refusal(api.post('/v1/users', person))).toEqual(EXCEEDS);
    const stepUp = await refusal(api.post('/v1/sso/connections', { name: 'x', type: 'oidc' }));
    expect(stepUp).toEqual({ status: 403, code: 'STEP_UP_NEEDS_SESSION' });
  });

  it('is held to it by the database itself', async () => {
    const set = asSuperuser(app.home, 'us-east-1', (database) =>
      database.query(
        `UPDATE ${acme.id}.oauth_clients SET role = 'Owner', highest_role = 'Admin' WHERE id = $1`,
        [machine.id],
      ),
    );
    await expect(set).rejects.toThrow('oauth_clients_within_whoever_set_it');
  });

  it('is outlived by their clients, which are stopped by themselves', async () => {
    const admin = await createPerson(acme.api, 'Admin');
    const api = client(app.baseUrl, (await signIn(app, acme.slug, admin)).accessToken);
    const left = await createClient(api);
    await must(acme.api.patch(`/v1/users/${admin.id}`, { status: 'disabled' }), 200);
    expect((await whoIs(app.baseUrl, await tokenOf(app.baseUrl, left))).client?.id).toBe(left.id);
  });

  it('sees when a client was used, changes it in turn, and finds those of the own organisation alone', async () => {
    const listed = await acme.api.all<ClientDto>('/v1/oauth-clients', 3);
    expect(listed.map(({ id }) => id)).toContain(machine.id);
    expect(listed.map(({ id }) => id)).not.toContain(foreign.id);
    const path = `/v1/oauth-clients/${machine.id}`;
    const before = await acme.api.get<ClientDto>(path);
    await must(acme.api.patch(path, { name: 'renamed' }, { 'if-match': `"${before.body.version}"` }), 200);
    const late = acme.api.patch(path, { name: 'late' }, { 'if-match': `"${before.body.version}"` });
    expect((await refusal(late)).code).toBe('VERSION_MISMATCH');
    // A new name ends no token, and so does another secret.
    const token = await tokenOf(app.baseUrl, machine);
    await must(acme.api.patch(path, { name: 'again' }), 200);
    expect((await whoIs(app.baseUrl, token)).client?.id).toBe(machine.id);
    await expect
      .poll(async () => (await acme.api.get<ClientDto>(path)).body.lastUsedAt, {
        timeout: 40_000,
        interval: 500,
      })
      .toBeTypeOf('string');
  });

  it('binds it to networks, for its secret and for its tokens', async () => {
    const here = await createClient(acme.api, { allowedNetworks: ['127.0.0.0/8', '::1'] });
    const token = await tokenOf(app.baseUrl, here);
    const path = `/v1/oauth-clients/${here.id}`;
    await must(acme.api.patch(path, { allowedNetworks: ['203.0.113.0/24'] }), 200);
    await eventually(
      async () => expect((await client(app.baseUrl, token).get('/v1/me')).status).not.toBe(200),
      1_000,
    );
    const answer = await askToken(app.baseUrl, {}, basicOf(here));
    expect(saidOf(answer)).toEqual({ status: 403, error: 'unauthorized_client' });
    // Nobody learns where it may be used from who has no secret of it.
    expect(saidOf(await askToken(app.baseUrl, {}, basic(here.clientId, 'wrong')))).toEqual({
      status: 401,
      error: 'invalid_client',
    });
  });
});

describe('a client that may do everything', () => {
  it('is answered by every route that is there for people as well, and by none with a fault', async () => {
    const all = await createClient(acme.api, { role: 'Owner' });
    const api = client(app.baseUrl, await tokenOf(app.baseUrl, all));
    const { routes } = await OpenApiContract.of(app.baseUrl);
    const outcomes: Record<string, number> = {};
    for (const { method, path } of routes) {
      // What destroys keys would end the test before its end.
      if (path.startsWith('/v1/keys/') || path.endsWith('/export')) continue;
      const id = path.replaceAll(/\{\w+\}/g, '01890000-0000-7000-8000-000000000000');
      const body = method === 'GET' || method === 'DELETE' ? undefined : {};
      const { status } = await api.send(method, id, { body });
      outcomes[`${method} ${path}`] = status;
    }
    expect(Object.keys(outcomes).length).toBeGreaterThan(80);
    expect(Object.entries(outcomes).filter(([, status]) => status >= 500 || status === 401)).toEqual([]);
  });
});
