import { decodeJwt, exportJWK, generateKeyPair, type CryptoKey, type JWK } from 'jose';
import * as peer from 'openid-client';
import { beforeAll, describe, expect, it } from 'vitest';
import type { CreatedClientDto } from '../../src/oauth/clients.dto.js';
import { client, must, refusal } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import {
  askToken,
  asPeer,
  basic,
  basicOf,
  createClient,
  issuerOf,
  saidOf,
  sendForm,
  tokenOf,
  whoIs,
} from '../support/oauth.js';
import { sharedApplication } from '../support/shared-application.js';
import { createTenant, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const issuer = issuerOf(app.baseUrl);
const BODY = { name: 'x', role: 'Developer', scopes: ['agent:read'] };
let acme: TestTenant;
let other: TestTenant;
let machine: CreatedClientDto;
let foreign: CreatedClientDto;
let keys: { privateKey: CryptoKey; publicKey: CryptoKey };
let publicKey: JWK;

beforeAll(async () => {
  [acme, other] = [await createTenant(app), await createTenant(app)];
  [machine, foreign] = [await createClient(acme.api), await createClient(other.api)];
  keys = await generateKeyPair('ES256');
  publicKey = { ...(await exportJWK(keys.publicKey)), kid: 'first' };
});

describe('a client of an organisation', () => {
  it('gets tokens with its secret, in the header and in the form, as a library asks for them', async () => {
    for (const method of [peer.ClientSecretBasic, peer.ClientSecretPost]) {
      const config = await asPeer(app.baseUrl, machine, method(machine.clientSecret));
      const tokens = await peer.clientCredentialsGrant(config, { scope: 'agent:read profile:read' });
      expect(tokens).toMatchObject({
        token_type: 'bearer',
        expires_in: 3_600,
        scope: 'agent:read profile:read',
      });
      const said = await whoIs(app.baseUrl, tokens.access_token);
      expect(said).toMatchObject({ type: 'client', client: { id: machine.id, role: 'Developer' } });
      expect(said).toMatchObject({ tenant: { id: acme.id }, scopes: ['agent:read', 'profile:read'] });
      expect(said.user).toBeUndefined();
    }
  });

  it('gets tokens with its private key, of which we have the public half alone', async () => {
    const owner = await createClient(acme.api, {
      authentication: 'private_key_jwt',
      publicKeys: [publicKey],
    });
    expect(owner.clientSecret).toBeUndefined();
    const config = await asPeer(
      app.baseUrl,
      owner,
      peer.PrivateKeyJwt({ key: keys.privateKey, kid: 'first' }),
    );
    const tokens = await peer.clientCredentialsGrant(config);
    expect(tokens.scope).toBe('*:admin');
    expect((await whoIs(app.baseUrl, tokens.access_token)).client?.id).toBe(owner.id);
  });

  it('gets tokens that say what RFC 9068 asks for, and live as long as it is set', async () => {
    const short = await createClient(acme.api, { accessTokenMinutes: 5, scopes: ['agent:read'] });
    const claims = decodeJwt(await tokenOf(app.baseUrl, short));
    expect(claims).toMatchObject({ iss: issuer, aud: 'waxell-api', sub: short.clientId });
    expect(claims).toMatchObject({ client_id: short.clientId, scope: 'agent:read' });
    expect(claims.jti).toMatch(/^[0-9a-f-]{36}$/);
    expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(300);
    const ending = await createClient(acme.api, { expiresAt: new Date(Date.now() + 20_000).toISOString() });
    const last = decodeJwt(await tokenOf(app.baseUrl, ending));
    expect((last.exp ?? 0) - (last.iat ?? 0)).toBeLessThanOrEqual(20);
    for (const accessTokenMinutes of [4, 361, 5.5])
      expect((await acme.api.post('/v1/oauth-clients', { ...BODY, accessTokenMinutes })).status).toBe(400);
  });

  it('may do what both its role and its scopes allow, and nothing else', async () => {
    const reads = client(app.baseUrl, await tokenOf(app.baseUrl, machine, { scope: 'project:read' }));
    expect((await reads.get('/v1/projects')).status).toBe(200);
    expect((await refusal(reads.post('/v1/projects', { name: 'x' }))).code).toBe('PERMISSION_DENIED');
    expect((await refusal(reads.get('/v1/agents'))).code).toBe('PERMISSION_DENIED');
    const viewer = await createClient(acme.api, { role: 'Viewer' });
    const views = client(app.baseUrl, await tokenOf(app.baseUrl, viewer));
    expect((await refusal(views.post('/v1/projects', { name: 'x' }))).code).toBe('PERMISSION_DENIED');
  });

  it('is refused scopes beyond its own, and unknown ones', async () => {
    const narrow = await createClient(acme.api, { scopes: ['agent:write'] });
    const shown = basicOf(narrow);
    for (const scope of [
      'agent:admin',
      'run:read',
      '*:read',
      'agent:read run:read',
      'openid',
      'agent:read  ',
    ])
      expect({ scope, ...saidOf(await askToken(app.baseUrl, { scope }, shown)) }).toEqual({
        scope,
        status: 400,
        error: 'invalid_scope',
      });
    expect((await askToken(app.baseUrl, { scope: 'agent:read' }, shown)).body['scope']).toBe('agent:read');
    const events = await acme.api.all<object>(`/v1/audit/events?actor=${narrow.id}&action=token.issued`);
    expect(events[1]).toMatchObject({ outcome: 'denied', reason: 'OAUTH_SCOPE_INVALID' });
  });

  it('is refused in one way, whatever is wrong with it, and the log says what it was', async () => {
    const { clientId, clientSecret = '' } = machine;
    const disabled = await createClient(acme.api);
    await must(acme.api.patch(`/v1/oauth-clients/${disabled.id}`, { status: 'disabled' }), 200);
    const keyed = await createClient(acme.api, {
      authentication: 'private_key_jwt',
      publicKeys: [publicKey],
    });
    const wrong = {
      CLIENT_SECRET_WRONG: basic(clientId, `${clientSecret}x`),
      CLIENT_UNKNOWN: basic(`${clientId.slice(0, -4)}0000`, clientSecret),
      CLIENT_DISABLED: basicOf(disabled),
    };
    const answers = [];
    for (const [reason, header] of Object.entries(wrong)) {
      const { status, body, headers } = await askToken(app.baseUrl, {}, header);
      answers.push(JSON.stringify({ status, body }));
      expect(headers.get('www-authenticate')).toMatch(/^Basic /);
      expect(headers.get('cache-control')).toBe('no-store');
      const [event] = await acme.api.all<object>('/v1/audit/events?action=token.issued');
      expect(event).toMatchObject({ outcome: 'denied', reason });
    }
    const others = [
      basic(foreign.clientId, clientSecret),
      basic(clientId, foreign.clientSecret ?? ''),
      basic('wxc_0000000000000000_00000000000000000000000000000000', clientSecret),
      basic('nobody', 'x'),
      basic(keyed.clientId, 'wxs_x'),
      { authorization: 'Basic !' },
      {},
    ];
    for (const header of others) {
      const { status, body } = await askToken(app.baseUrl, {}, header);
      answers.push(JSON.stringify({ status, body }));
    }
    expect(new Set(answers).size).toBe(1);
    expect(JSON.parse(answers[0] ?? '')).toMatchObject({ status: 401, body: { error: 'invalid_client' } });
  });

  it('sends its secret in no address, twice in no form, and in one way at a time', async () => {
    const { clientId, clientSecret = '' } = machine;
    const url = `${app.baseUrl}/oauth/token`;
    const fields = { grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret };
    const invalid = { status: 400, error: 'invalid_request' };
    const query = new URLSearchParams(fields).toString();
    expect(saidOf(await sendForm(`${url}?${query}`, {}))).toEqual(invalid);
    expect(saidOf(await sendForm(`${url}?x=1`, fields))).toEqual(invalid);
    const twice: [string, string][] = [...Object.entries(fields), ['client_secret', clientSecret]];
    expect(saidOf(await sendForm(url, twice))).toEqual(invalid);
    expect(saidOf(await sendForm(url, fields, basicOf(machine)))).toEqual(invalid);
    expect(saidOf(await sendForm(url, { client_id: clientId }))).toEqual(invalid);
    const password = { ...fields, grant_type: 'password' };
    expect(saidOf(await sendForm(url, password))).toEqual({ status: 400, error: 'unsupported_grant_type' });
    // Another client's name beside what proves this one.
    const mixed = { grant_type: 'client_credentials', client_id: foreign.clientId };
    expect(saidOf(await sendForm(url, mixed, basicOf(machine)))).toEqual({
      status: 401,
      error: 'invalid_client',
    });
    expect((await sendForm(url, { ...fields, unknown: 'is ignored' })).status).toBe(200);
    // Its token is nothing to the same route under another organisation's name.
    const token = await tokenOf(app.baseUrl, machine);
    const elsewhere = client(app.baseUrl, token, { 'x-tenant-slug': other.slug });
    expect(await refusal(elsewhere.get('/v1/me'))).toEqual({ status: 403, code: 'TENANT_MISMATCH' });
    expect(
      saidOf(await askToken(app.baseUrl, {}, { ...basicOf(machine), 'x-tenant-slug': other.slug })).status,
    ).toBe(401);
  });

  it('is not named by a secret or token in the log, and neither is anything that it has shown', async () => {
    const token = await tokenOf(app.baseUrl, machine);
    const events = JSON.stringify(await acme.api.all(`/v1/audit/events?actor=${machine.id}`));
    expect(events).toContain('token.issued');
    for (const secret of [token, machine.clientSecret ?? '-', token.split('.')[2] ?? '-'])
      expect(events).not.toContain(secret);
  });
});

describe('a secret', () => {
  it('is rotated with an overlap: two work, a third takes the place of the first', async () => {
    const rotated = await createClient(acme.api);
    const path = `/v1/oauth-clients/${rotated.id}/rotate-secret`;
    const works = async (secret = ''): Promise<boolean> =>
      (await askToken(app.baseUrl, {}, basic(rotated.clientId, secret))).status === 200;
    const second = await must(acme.api.post<CreatedClientDto>(path, {}), 201);
    expect(second.secrets).toHaveLength(2);
    expect([await works(rotated.clientSecret), await works(second.clientSecret)]).toEqual([true, true]);
    const third = await must(acme.api.post<CreatedClientDto>(path, { overlapSeconds: 1 }), 201);
    expect(await works(rotated.clientSecret)).toBe(false);
    await eventually(async () => expect(await works(second.clientSecret)).toBe(false), 5_000);
    const last = await must(acme.api.post<CreatedClientDto>(path, { overlapSeconds: 0 }), 201);
    expect([await works(third.clientSecret), await works(last.clientSecret)]).toEqual([false, true]);
    expect(last.secrets).toHaveLength(1);
    const listed = JSON.stringify(await acme.api.all('/v1/oauth-clients'));
    expect(listed).toContain(rotated.id);
    for (const { clientSecret = '-' } of [rotated, second, third, last])
      expect(listed).not.toContain(clientSecret);
    const keyed = await createClient(acme.api, {
      authentication: 'private_key_jwt',
      publicKeys: [publicKey],
    });
    expect(await refusal(acme.api.post(`/v1/oauth-clients/${keyed.id}/rotate-secret`, {}))).toEqual({
      status: 422,
      code: 'CLIENT_HAS_NO_SECRET',
    });
  });

  it('and a client end when they are said to', async () => {
    const soon = (): string => new Date(Date.now() + 1_500).toISOString();
    const ending = [
      await createClient(acme.api, { secretExpiresAt: soon() }),
      await createClient(acme.api, { expiresAt: soon() }),
    ];
    for (const one of ending)
      await eventually(async () => {
        const answer = await askToken(app.baseUrl, {}, basicOf(one));
        expect(saidOf(answer)).toEqual({ status: 401, error: 'invalid_client' });
      }, 5_000);
    for (const field of ['expiresAt', 'secretExpiresAt'])
      for (const end of ['2020-01-01T00:00:00Z', 'tomorrow'])
        expect((await acme.api.post('/v1/oauth-clients', { ...BODY, [field]: end })).status).toBe(400);
  });
});
