import {
  exportSPKI,
  generateKeyPair,
  importJWK,
  SignJWT,
  UnsecuredJWT,
  decodeJwt,
  type JWK,
  type CryptoKey,
} from 'jose';
import type { TokensDto } from '../../src/auth/auth.dto.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Application } from '../support/application.js';
import { client, must, refusal, type Client } from '../support/client.js';
import { startWithClock } from '../support/clock.js';
import { eventually } from '../support/eventually.js';
import { createTenant, signIn, type TestTenant } from '../support/tenants.js';

let app: Application;
let setAhead: (milliseconds: number) => Promise<void>;
let acme: TestTenant;
let other: TestTenant;
let tokens: TokensDto;
let publicKey: JWK;
let own: CryptoKey;
let anyone: Client;

beforeAll(async () => {
  ({ app, setAhead } = await startWithClock());
  acme = await createTenant(app);
  other = await createTenant(app);
  tokens = await signIn(app, acme.slug, acme.owner);
  anyone = client(app.baseUrl);
  const { keys } = await must(anyone.get<{ keys: JWK[] }>('/.well-known/jwks.json'), 200);
  publicKey = keys[0] ?? {};
  own = (await generateKeyPair('RS256')).privateKey;
});
afterAll(() => app.dispose());

const INVALID = { status: 401, code: 'INVALID_CREDENTIAL' };
const HOUR_MS = 60 * 60 * 1_000;

/** The clock is right again; buckets of rate limits that were filled by the later one take a second to fill. */
async function setBack(): Promise<void> {
  await setAhead(0);
  await eventually(async () => expect((await acme.api.get('/v1/me')).status).toBe(200), 10_000);
}

function me(token: string): Promise<{ status: number; code: string | undefined }> {
  return refusal(client(app.baseUrl, token).get('/v1/me'));
}

function claims(): Record<string, unknown> {
  return decodeJwt(tokens.accessToken);
}

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

describe('an access token', () => {
  it('works as it was issued', async () => {
    expect((await client(app.baseUrl, tokens.accessToken).get('/v1/me')).status).toBe(200);
  });

  it('is refused without a signature (alg none)', async () => {
    expect(await me(new UnsecuredJWT(claims()).encode())).toEqual(INVALID);
    const [, payload] = tokens.accessToken.split('.');
    for (const alg of ['none', 'None', 'NONE', 'nOnE']) {
      const header = part({ alg, typ: 'at+jwt', kid: publicKey.kid });
      expect(await me(`${header}.${payload}.`)).toEqual(INVALID);
    }
  });

  it('is refused with a MAC that is keyed with the public key', async () => {
    const key = (await importJWK({ ...publicKey, alg: 'RS256' }, 'RS256')) as CryptoKey;
    for (const secret of [await exportSPKI(key), JSON.stringify(publicKey), String(publicKey.n)]) {
      const header = { alg: 'HS256', typ: 'at+jwt', kid: String(publicKey.kid) };
      const forged = await new SignJWT(claims()).setProtectedHeader(header).sign(Buffer.from(secret));
      expect(await me(forged)).toEqual(INVALID);
    }
  });

  it.each([
    ['the kid of ours', () => ({ kid: String(publicKey.kid) })],
    ['a kid of its own', () => ({ kid: 'mine' })],
    ['no kid', () => ({})],
    ['a kid that is SQL', () => ({ kid: "' OR 1=1 --" })],
    ['a key in its header', () => ({ kid: 'mine', jwk: publicKey })],
    ['a key at its own address', () => ({ kid: 'mine', jku: 'http://127.0.0.1:1/jwks.json' })],
  ])("is refused with another's signature and %s", async (_what, header) => {
    const forged = await new SignJWT(claims())
      .setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', ...header() })
      .sign(own);
    expect(await me(forged)).toEqual(INVALID);
  });

  it.each([
    ['another tenant', () => ({ tenant: other.id })],
    ['another person', () => ({ sub: other.owner.id })],
    ['another session', () => ({ sid: '01890000-0000-7000-8000-000000000000' })],
    ['a later end', () => ({ exp: 4_000_000_000 })],
    ['another issuer', () => ({ iss: 'https://evil.example' })],
    ['an earlier epoch', () => ({ epoch: -1 })],
    ['a tenant that is no id', () => ({ tenant: 't_0"; --' })],
  ])('is refused when its claims are altered to %s', async (_what, altered) => {
    const [header, , signature] = tokens.accessToken.split('.');
    const forged = `${header}.${part({ ...claims(), ...altered() })}.${signature}`;
    expect(await me(forged)).toEqual(INVALID);
  });

  it.each(['', '.', '..', 'a.b.c', 'x'.repeat(5_000), 'Bearer', '\u00e9.\u00e9.\u00e9'])(
    'is refused when it is none at all: %s',
    async (text) => {
      expect(await me(text)).toEqual(INVALID);
    },
  );

  it('is refused in another place than the Authorization header, and with another scheme', async () => {
    const { status } = await anyone.get(`/v1/projects?access_token=${tokens.accessToken}`);
    expect(status).toBe(401);
    for (const scheme of ['Basic', 'Token', 'DPoP']) {
      const answer = anyone.with({ authorization: `${scheme} ${tokens.accessToken}` }).get('/v1/me');
      expect(await refusal(answer)).toEqual(INVALID);
    }
  });

  it('is not the refresh token, and the refresh token is not it', async () => {
    expect(await me(tokens.refreshToken)).toEqual(INVALID);
    const swapped = anyone.post('/v1/auth/refresh', { refreshToken: tokens.accessToken.slice(0, 200) });
    expect(await refusal(swapped)).toEqual(INVALID);
  });

  it('is refused after fifteen minutes, also where it was used just before', async () => {
    const { accessToken } = await signIn(app, acme.slug, acme.owner);
    const api = client(app.baseUrl, accessToken);
    await setAhead(14 * 60_000);
    expect((await api.get('/v1/me')).status).toBe(200);
    await setAhead(16 * 60_000);
    expect(await refusal(api.get('/v1/me'))).toEqual(INVALID);
    const { accessToken: unused } = tokens;
    expect(await me(unused)).toEqual(INVALID);
    await setBack();
  });

  it('is refused before its time, when clocks have jumped back', async () => {
    await setAhead(24 * HOUR_MS);
    const { accessToken } = await signIn(app, acme.slug, acme.owner);
    await setBack();
    const { status } = await client(app.baseUrl, accessToken).get('/v1/me');
    // It carries no "not before": what counts is that its session, by the database's clock, is alive.
    expect([200, 401]).toContain(status);
  });
});

describe('an API key', () => {
  it('is refused with one character changed, wherever', async () => {
    const { apiKey } = acme;
    for (const at of [4, 10, 22, 40, apiKey.length - 1]) {
      const changed = `${apiKey.slice(0, at)}${apiKey[at] === 'a' ? 'b' : 'a'}${apiKey.slice(at + 1)}`;
      expect(await me(changed)).toEqual(INVALID);
    }
  });

  it("is refused with another tenant's id in it, and without its end", async () => {
    expect(await me(acme.apiKey.replace(acme.id.slice(2), other.id.slice(2)))).toEqual(INVALID);
    expect(await me(acme.apiKey.slice(0, -1))).toEqual(INVALID);
    expect(await me(`${acme.apiKey}x`)).toEqual(INVALID);
  });

  it('is refused after its end', async () => {
    const expiresAt = new Date(Date.now() + 60_000).toISOString();
    const body = { name: 'short', scopes: ['profile:read'], expiresAt };
    const { key } = await must(acme.api.post<{ key: string }>('/v1/api-keys', body), 201);
    expect((await client(app.baseUrl, key).get('/v1/me')).status).toBe(200);
    await setAhead(61_000);
    expect(await me(key)).toEqual(INVALID);
    await setBack();
  });

  it("of the operator is refused with one character changed, and as a tenant's", async () => {
    const { operatorKey } = app.firstRun;
    const operator = (key: string) => refusal(client(app.baseUrl, key).get('/v1/tenants'));
    expect(await operator(`${operatorKey.slice(0, -1)}${operatorKey.endsWith('a') ? 'b' : 'a'}`)).toEqual(
      INVALID,
    );
    expect(await me(operatorKey)).toEqual({ status: 403, code: 'PERMISSION_DENIED' });
  });
});
