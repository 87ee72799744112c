import { hash, randomUUID } from 'node:crypto';
import {
  calculateJwkThumbprint,
  decodeJwt,
  exportJWK,
  generateKeyPair,
  SignJWT,
  type CryptoKey,
  type JWK,
} from 'jose';
import * as peer from 'openid-client';
import { beforeAll, describe, expect, it } from 'vitest';
import type { CreatedClientDto } from '../../src/oauth/clients.dto.js';
import { client, must, refusal } from '../support/client.js';
import {
  askToken,
  asPeer,
  basicOf,
  createClient,
  issuerOf,
  saidOf,
  sendForm,
  tokenOf,
} from '../support/oauth.js';
import { sharedApplication } from '../support/shared-application.js';
import { createPerson, createTenant, signIn, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const issuer = issuerOf(app.baseUrl);
const DEAD = { status: 401, code: 'INVALID_CREDENTIAL' };
const UNPROVED = { status: 401, code: 'DPOP_PROOF_INVALID' };
let acme: TestTenant;
let machine: CreatedClientDto;
let keys: { privateKey: CryptoKey; publicKey: CryptoKey };
let jwk: JWK;

beforeAll(async () => {
  acme = await createTenant(app);
  machine = await createClient(acme.api);
  keys = await generateKeyPair('ES256');
  jwk = await exportJWK(keys.publicKey);
});

/** A proof (RFC 9449 section 4.2) for `GET /v1/me`, but for what is said. */
function proof(claims: object, header: object = {}, key = keys.privateKey): Promise<string> {
  const usual = {
    jti: randomUUID(),
    htm: 'GET',
    htu: `${issuer}/v1/me`,
    iat: Math.floor(Date.now() / 1_000),
  };
  return new SignJWT({ ...usual, ...claims })
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk, ...header })
    .sign(key);
}

const ofToken = (token: string): { ath: string } => ({ ath: hash('sha256', token, 'base64url') });
const show = (token: string, dpop: string | undefined, scheme = 'DPoP') =>
  refusal(
    client(app.baseUrl).get('/v1/me', {
      authorization: `${scheme} ${token}`,
      ...(dpop !== undefined && { dpop }),
    }),
  );

async function boundToken(): Promise<string> {
  const dpop = await proof({ htm: 'POST', htu: `${issuer}/oauth/token` });
  return tokenOf(app.baseUrl, machine, {}, { dpop });
}

describe('a token that is bound to a key', () => {
  it('is given to a client that proves to have the key, and is of use with its proofs, as a library makes them', async () => {
    const config = await asPeer(app.baseUrl, machine);
    const pair = await peer.randomDPoPKeyPair('ES256');
    const DPoP = peer.getDPoPHandle(config, pair);
    const tokens = await peer.clientCredentialsGrant(config, {}, { DPoP });
    expect(tokens.token_type).toBe('dpop');
    const jkt = await calculateJwkThumbprint(await exportJWK(pair.publicKey));
    expect(decodeJwt(tokens.access_token)['cnf']).toEqual({ jkt });
    const said = await peer.tokenIntrospection(config, tokens.access_token);
    expect(said).toMatchObject({ active: true, token_type: 'DPoP', cnf: { jkt } });
    for (let time = 0; time < 2; time += 1) {
      const url = new URL(`${issuer}/v1/me`);
      const answer = await peer.fetchProtectedResource(
        config,
        tokens.access_token,
        url,
        'GET',
        null,
        undefined,
        {
          DPoP,
        },
      );
      expect([answer.status, ((await answer.json()) as { type: string }).type]).toEqual([200, 'client']);
    }
  });

  it('is nothing without a proof, or as a bearer token', async () => {
    const token = await boundToken();
    expect(await show(token, undefined)).toEqual(UNPROVED);
    expect(await show(token, await proof(ofToken(token)), 'Bearer')).toEqual(DEAD);
    expect(await show(token, undefined, 'Bearer')).toEqual(DEAD);
    expect((await show(token, await proof(ofToken(token)))).status).toBe(200);
    // And a token that is bound to none is no other kind of token.
    const unbound = await tokenOf(app.baseUrl, machine);
    expect(await show(unbound, await proof(ofToken(unbound)))).toEqual(DEAD);
  });

  it('takes each proof once, however many come at the same time', async () => {
    const token = await boundToken();
    const once = await proof(ofToken(token));
    const race = await Promise.all(Array.from({ length: 8 }, () => show(token, once)));
    expect(race.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(race.filter(({ code }) => code === 'DPOP_PROOF_INVALID')).toHaveLength(7);
  });

  it.each<[string, object]>([
    ['of another method', { htm: 'POST' }],
    ['of another path', { htu: `${issuer}/v1/agents` }],
    ['of another host', { htu: 'https://elsewhere.example/v1/me' }],
    ['without an address', { htu: undefined }],
    ['of before', { iat: Math.floor(Date.now() / 1_000) - 300 }],
    ['of later', { iat: Math.floor(Date.now() / 1_000) + 300 }],
    ['without an id', { jti: undefined }],
    ['with an empty id', { jti: '' }],
    ['of another token', { ath: hash('sha256', 'another', 'base64url') }],
    ['of no token', { ath: undefined }],
  ])('is refused with a proof %s', async (_what, claims) => {
    const token = await boundToken();
    expect(await show(token, await proof({ ...ofToken(token), ...claims }))).toEqual(UNPROVED);
  });

  it('is refused with a proof of another key, kind or form', async () => {
    const token = await boundToken();
    const stranger = await generateKeyPair('ES256', { extractable: true });
    const strangers = await exportJWK(stranger.publicKey);
    const payload = ofToken(token);
    for (const [at, dpop] of [
      await proof(payload, { jwk: strangers }, stranger.privateKey),
      // It says our key and is signed by another.
      await proof(payload, {}, stranger.privateKey),
      await proof(payload, { typ: 'jwt' }),
      await proof(payload, { jwk: undefined }),
      await proof(payload, { jwk: await exportJWK(stranger.privateKey) }, stranger.privateKey),
      `${await proof(payload)}, ${await proof(payload)}`,
      'no proof',
      '',
    ].entries())
      expect({ at, ...(await show(token, dpop)) }).toEqual({ at, ...UNPROVED });
    // The address may have a query, which does not count.
    expect((await show(token, await proof({ ...payload, htu: `${issuer}/v1/me?x=1` }))).status).toBe(200);
  });
});

describe('where tokens are given out', () => {
  it('a proof is checked, and noted: one that was shown is shown once', async () => {
    const meant = { htm: 'POST', htu: `${issuer}/oauth/token` };
    const refused = { status: 400, error: 'invalid_dpop_proof' };
    const once = await proof(meant);
    const ask = async (dpop: string) =>
      saidOf(await askToken(app.baseUrl, {}, { ...basicOf(machine), dpop }));
    expect((await ask(once)).status).toBe(200);
    for (const dpop of [once, await proof({}), await proof({ ...meant, iat: 1 }), 'no proof'])
      expect(await ask(dpop)).toEqual(refused);
  });

  it('a client that is set so gets no token without one', async () => {
    const bound = await createClient(acme.api, { dpopBound: true });
    const answer = await askToken(app.baseUrl, {}, basicOf(bound));
    expect(saidOf(answer)).toEqual({ status: 400, error: 'invalid_dpop_proof' });
    const dpop = await proof({ htm: 'POST', htu: `${issuer}/oauth/token` });
    expect((await askToken(app.baseUrl, {}, { ...basicOf(bound), dpop })).body['token_type']).toBe('DPoP');
    // Not by another client of its own either.
    const api = await createClient(acme.api, { role: 'Admin', dpopBound: true });
    const own = await must(acme.api.get<CreatedClientDto>(`/v1/oauth-clients/${api.id}`), 200);
    expect(own.dpopBound).toBe(true);
  });

  it('a session that was refreshed with a key goes on with that key alone', async () => {
    const person = await createPerson(acme.api, 'Developer');
    const { refreshToken } = await signIn(app, acme.slug, person);
    const meant = { htm: 'POST', htu: `${issuer}/oauth/token` };
    const refresh = (token: unknown, headers: Record<string, string> = {}) => {
      const fields = { grant_type: 'refresh_token', refresh_token: String(token) };
      return sendForm(`${app.baseUrl}/oauth/token`, fields, headers);
    };
    const { body } = await refresh(refreshToken, { dpop: await proof(meant) });
    expect(body['token_type']).toBe('DPoP');
    const token = String(body['access_token']);
    expect(await show(token, undefined, 'Bearer')).toEqual(DEAD);
    expect((await show(token, await proof(ofToken(token)))).status).toBe(200);
    const stranger = await generateKeyPair('ES256');
    const theirs = await proof(meant, { jwk: await exportJWK(stranger.publicKey) }, stranger.privateKey);
    const refused = { status: 400, error: 'invalid_grant' };
    expect(saidOf(await refresh(body['refresh_token']))).toEqual(refused);
    expect(saidOf(await refresh(body['refresh_token'], { dpop: theirs }))).toEqual(refused);
    const old = client(app.baseUrl).post('/v1/auth/refresh', { refreshToken: body['refresh_token'] });
    expect(await refusal(old)).toEqual(DEAD);
    expect((await refresh(body['refresh_token'], { dpop: await proof(meant) })).status).toBe(200);
  });
});
