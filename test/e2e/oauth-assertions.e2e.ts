import { randomUUID } from 'node:crypto';
import { decodeJwt, exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ClientDto, CreatedClientDto } from '../../src/oauth/clients.dto.js';
import { must } from '../support/client.js';
import { askToken, createClient, issuerOf, saidOf, tokenOf, type OAuthAnswer } from '../support/oauth.js';
import { sharedApplication } from '../support/shared-application.js';
import { createTenant, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const issuer = issuerOf(app.baseUrl);
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const BODY = { name: 'x', role: 'Developer', scopes: ['agent:read'] };
let acme: TestTenant;
let machine: CreatedClientDto;
let keys: { privateKey: CryptoKey; publicKey: CryptoKey };
let publicKey: JWK;

beforeAll(async () => {
  acme = await createTenant(app);
  machine = await createClient(acme.api);
  keys = await generateKeyPair('ES256');
  publicKey = { ...(await exportJWK(keys.publicKey)), kid: 'first' };
});

/** An assertion of `private_key_jwt` (RFC 7523), but for what is said. */
function assertion(
  clientId: string,
  claims: object = {},
  header: { alg?: string; kid?: string; typ?: string } = {},
  key: CryptoKey | Uint8Array = keys.privateKey,
): Promise<string> {
  const now = Math.floor(Date.now() / 1_000);
  const usual = { iss: clientId, sub: clientId, aud: issuer, jti: randomUUID(), iat: now, exp: now + 60 };
  return new SignJWT({ ...usual, ...claims })
    .setProtectedHeader({ alg: 'ES256', kid: 'first', ...header })
    .sign(key);
}

describe('an assertion of a client', () => {
  let keyed: CreatedClientDto;
  beforeAll(async () => {
    keyed = await createClient(acme.api, { authentication: 'private_key_jwt', publicKeys: [publicKey] });
  });
  const show = (client_assertion: string, more: Record<string, string> = {}): Promise<OAuthAnswer> =>
    askToken(app.baseUrl, { client_assertion_type: ASSERTION_TYPE, client_assertion, ...more });
  const refused = { status: 401, error: 'invalid_client' };

  it('is taken once, by whichever of its two names we are meant', async () => {
    for (const aud of [issuer, `${issuer}/oauth/token`, [issuer]]) {
      const once = await assertion(keyed.clientId, { aud });
      expect((await show(once)).status).toBe(200);
      expect(saidOf(await show(once))).toEqual(refused);
    }
    const [event] = await acme.api.all<object>(`/v1/audit/events?actor=${keyed.id}`);
    expect(event).toMatchObject({ outcome: 'denied', reason: 'CLIENT_ASSERTION_SHOWN_BEFORE' });
    const raced = await assertion(keyed.clientId);
    const race = await Promise.all(Array.from({ length: 8 }, () => show(raced)));
    expect(race.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  it.each<[string, object]>([
    ['for somebody else', { aud: 'https://elsewhere.example' }],
    ['for others as well', { aud: ['https://elsewhere.example', 'ISSUER'] }],
    ['for another path of ours', { aud: 'ISSUER/v1/me' }],
    ['of another issuer', { iss: 'https://elsewhere.example' }],
    ['of another subject', { sub: 'wxc_0000000000000000_00000000000000000000000000000000' }],
    ['that is over', { exp: 1_000 }],
    ['without an end', { exp: undefined }],
    ['that is good for a day', { exp: Math.floor(Date.now() / 1_000) + 86_400 }],
    ['of the future', { iat: Math.floor(Date.now() / 1_000) + 600 }],
    ['not valid yet', { nbf: Math.floor(Date.now() / 1_000) + 600 }],
    ['without an id', { jti: undefined }],
    ['with an empty id', { jti: '' }],
    ['with an id that is no text', { jti: 7 }],
  ])('%s is refused', async (_what, claims) => {
    const meant = JSON.parse(JSON.stringify(claims).replaceAll('ISSUER', issuer)) as object;
    const without = Object.fromEntries(Object.keys(claims).map((name) => [name, undefined]));
    const shown = await assertion(keyed.clientId, { ...without, ...meant });
    expect(saidOf(await show(shown, { client_id: keyed.clientId }))).toEqual(refused);
  });

  it('signed by anything but its key is refused', async () => {
    const stranger = await generateKeyPair('ES256');
    const secret = new TextEncoder().encode(JSON.stringify(publicKey));
    const unsigned = [{ alg: 'none' }, decodeJwt(await assertion(keyed.clientId))]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    const shown = [
      await assertion(keyed.clientId, {}, {}, stranger.privateKey),
      await assertion(keyed.clientId, {}, { alg: 'HS256' }, secret),
      await assertion(keyed.clientId, {}, { kid: 'second' }),
      await assertion(keyed.clientId, {}, { typ: 'at+jwt' }),
      `${unsigned}.`,
      'no.assertion.atall',
      // One that the client of a secret has signed: it has no key with us.
      await assertion(machine.clientId),
      await tokenOf(app.baseUrl, machine),
    ];
    for (const [at, one] of shown.entries())
      expect({ at, ...saidOf(await show(one)) }).toEqual({ at, ...refused });
    expect(saidOf(await show(await assertion(keyed.clientId), { client_assertion_type: 'x' }))).toEqual({
      status: 400,
      error: 'invalid_request',
    });
  });

  it('is verified by the keys that are registered now', async () => {
    const next = await generateKeyPair('EdDSA');
    const second = { ...(await exportJWK(next.publicKey)), kid: 'second' };
    const path = `/v1/oauth-clients/${keyed.id}`;
    const changed = await must(acme.api.patch<ClientDto>(path, { publicKeys: [publicKey, second] }), 200);
    expect(changed.publicKeys).toHaveLength(2);
    const byNext = () => assertion(keyed.clientId, {}, { alg: 'EdDSA', kid: 'second' }, next.privateKey);
    expect((await show(await byNext())).status).toBe(200);
    expect((await show(await assertion(keyed.clientId))).status).toBe(200);
    await must(acme.api.patch(path, { publicKeys: [second] }), 200);
    expect(saidOf(await show(await assertion(keyed.clientId)))).toEqual(refused);
    expect((await show(await byNext())).status).toBe(200);
  });

  it('needs a public key that is one: private, short, symmetric and unknown ones are refused', async () => {
    const { privateKey } = await generateKeyPair('ES256', { extractable: true });
    const weak = { kty: 'RSA', e: 'AQAB', n: 'sXchDaQebHnPiGvyDOAT4saGEUetSyo9MKLOoWFsueri23bOdgWp4Dy1Wl' };
    for (const key of [
      await exportJWK(privateKey),
      weak,
      { kty: 'oct', k: 'c2VjcmV0' },
      { kty: 'constructor' },
      { kty: 'EC', crv: 'secp256k1', x: 'AA', y: 'AA' },
      { ...publicKey, use: 'enc' },
      { ...publicKey, alg: 'HS256' },
      { ...publicKey, kid: 7 },
      {},
    ]) {
      const body = { ...BODY, authentication: 'private_key_jwt', publicKeys: [key] };
      expect({ key, status: (await acme.api.post('/v1/oauth-clients', body)).status }).toEqual({
        key,
        status: 400,
      });
    }
    for (const body of [
      { ...BODY, authentication: 'private_key_jwt' },
      { ...BODY, publicKeys: [publicKey] },
      { ...BODY, authentication: 'private_key_jwt', publicKeys: [publicKey, publicKey] },
    ])
      expect((await acme.api.post('/v1/oauth-clients', body)).status).toBe(400);
  });
});
