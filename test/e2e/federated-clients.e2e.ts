import { createPublicKey, randomUUID } from 'node:crypto';
import { decodeJwt, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClientDto, CreatedClientDto } from '../../src/oauth/clients.dto.js';
import { newSigningKey } from '../fakes/ssf-transmitter.js';
import { WORKLOAD, WorkloadIssuer } from '../fakes/workload-issuer.js';
import { client, must } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { ASSERTION_TYPE, federatedClient, lastOf, showToken } from '../support/federated.js';
import {
  askToken,
  basic,
  createClient,
  issuerOf,
  saidOf,
  sendForm,
  whoIs,
  type OAuthAnswer,
} from '../support/oauth.js';
import { mustScim, ownerOf, person, ScimClient } from '../support/scim.js';
import { sharedApplication } from '../support/shared-application.js';
import { createTenant, uniqueName, type TestTenant } from '../support/tenants.js';

const SECOND = 1_000;
const REFUSED = { status: 401, error: 'invalid_client' };
const app = sharedApplication();
/** As tokens name us where a client says nothing else. */
const us = issuerOf(app.baseUrl);
let issuer: WorkloadIssuer;
let acme: TestTenant;
let globex: TestTenant;
let one: CreatedClientDto;

beforeAll(async () => {
  issuer = await WorkloadIssuer.start();
  [acme, globex] = [await createTenant(app), await createTenant(app)];
  one = await federatedClient(acme.api, issuer);
});
afterAll(() => issuer.close());

const show = (token: string, fields: Record<string, string> = {}, by = one): Promise<OAuthAnswer> =>
  showToken(app.baseUrl, by, token, fields);
const given = ({ status, body }: OAuthAnswer): string => {
  expect({ status, error: body['error'] }).toEqual({ status: 200, error: undefined });
  return String(body['access_token']);
};
const seconds = (): number => Math.floor(Date.now() / 1_000);

describe('a workload for which its issuer vouches', () => {
  it('gets tokens with no secret at all, by the same token for as long as that lives', async () => {
    expect(one).not.toHaveProperty('clientSecret');
    expect(one.secrets).toEqual([]);
    const federation = { issuer: issuer.url, subject: WORKLOAD, audience: us };
    expect(one).toMatchObject({ authentication: 'federated_token', federation });
    const listed = await acme.api.all<ClientDto>('/v1/oauth-clients');
    expect(listed.find(({ id }) => id === one.id)).toMatchObject({ federation });
    const token = await issuer.token(us);
    for (const _time of [1, 2]) {
      const me = await whoIs(app.baseUrl, given(await show(token, { scope: 'profile:read' })));
      expect(me).toMatchObject({ client: { id: one.id }, tenant: { id: acme.id } });
    }
    expect(await lastOf(acme, one)).toEqual({ outcome: 'success', reason: undefined });
  });

  it('is believed as Entra ID, Kubernetes and GitHub write their tokens, and for an audience of its own', async () => {
    const elliptic = await newSigningKey('ES256');
    issuer.keys = [elliptic, ...issuer.keys];
    for (const shown of [
      await issuer.token(us, { header: { typ: 'JWT' }, claims: { jti: randomUUID() } }),
      await issuer.token(us, { claims: { aud: [us], exp: seconds() + 86_400 } }),
      await issuer.token(us, { claims: { iat: undefined, nbf: undefined, exp: seconds() - 10 } }),
      await issuer.token(us, { key: elliptic }),
    ])
      given(await show(shown));
    const audience = 'api://b5ba7a93-4452-4522-aeb4-a2b5da870c16';
    const own = await federatedClient(acme.api, issuer, { audience });
    given(await show(await issuer.token(audience), {}, own));
    expect(saidOf(await show(await issuer.token(us), {}, own))).toEqual(REFUSED);
  });

  it('may revoke and look into tokens by it too', async () => {
    const shown = {
      client_id: one.clientId,
      client_assertion_type: ASSERTION_TYPE,
      client_assertion: await issuer.token(us),
    };
    const token = given(await show(shown.client_assertion));
    const look = () => sendForm(`${app.baseUrl}/oauth/introspect`, { token, ...shown });
    expect((await look()).body).toMatchObject({ active: true, client_id: one.clientId });
    expect((await sendForm(`${app.baseUrl}/oauth/revoke`, { token, ...shown })).status).toBe(200);
    expect((await look()).body).toEqual({ active: false });
  });

  it('provides people where a directory names its client, for as long as the client is set to give', async () => {
    const scopes = ['scim:read', 'scim:write'];
    const speaking = await federatedClient(acme.api, issuer, {}, { scopes, accessTokenMinutes: 90 });
    const made = { name: uniqueName('directory'), kind: 'entra', oauthClientId: speaking.id };
    await must((await ownerOf(app, acme)).post('/v1/scim/directories', made), 201);
    const answer = await show(await issuer.token(us, { header: { typ: 'JWT' } }), {}, speaking);
    expect(answer.body).toMatchObject({ expires_in: 5_400, scope: scopes.join(' ') });
    const scim = new ScimClient(app.baseUrl, given(answer));
    const ann = await mustScim(scim.post('/Users', person()), 201);
    await mustScim(scim.get(`/Users/${ann.id}`), 200);
    expect((await client(app.baseUrl, given(answer)).get('/v1/agents')).status).toBe(403);
  });
});

describe('a token of its issuer', () => {
  it.each<[string, string, () => Record<string, unknown>]>([
    ['of another issuer', 'CLIENT_TOKEN_ISSUER', () => ({ iss: `${issuer.url}/` })],
    ['of no issuer', 'CLIENT_TOKEN_ISSUER', () => ({ iss: undefined })],
    ['of another workload', 'CLIENT_TOKEN_SUBJECT', () => ({ sub: `${WORKLOAD}-other` })],
    ['of the same in other letters', 'CLIENT_TOKEN_SUBJECT', () => ({ sub: WORKLOAD.toUpperCase() })],
    ['of nobody', 'CLIENT_TOKEN_SUBJECT', () => ({ sub: undefined })],
    ['for somebody else', 'CLIENT_TOKEN_AUDIENCE', () => ({ aud: 'https://elsewhere.example' })],
    ['for others as well', 'CLIENT_TOKEN_AUDIENCE', () => ({ aud: [us, 'https://elsewhere.example'] })],
    ['for us twice', 'CLIENT_TOKEN_AUDIENCE', () => ({ aud: [us, us] })],
    ['for nobody', 'CLIENT_TOKEN_AUDIENCE', () => ({ aud: [] })],
    ['that is over', 'CLIENT_TOKEN_TIME', () => ({ exp: seconds() - 60 })],
    ['without an end', 'CLIENT_TOKEN_TIME', () => ({ exp: undefined })],
    ['with an end that is no number', 'CLIENT_TOKEN_TIME', () => ({ exp: String(seconds() + 60) })],
    ['that is good for longer than a day', 'CLIENT_TOKEN_TIME', () => ({ exp: seconds() + 86_500 })],
    ['that was issued in the future', 'CLIENT_TOKEN_TIME', () => ({ iat: seconds() + 120 })],
    ['that is not valid yet', 'CLIENT_TOKEN_TIME', () => ({ nbf: seconds() + 120 })],
  ])('%s is refused, and the log alone says why', async (_what, reason, claims) => {
    const before = issuer.times;
    const answer = await show(await issuer.token(us, { claims: claims() }));
    expect(saidOf(answer)).toEqual(REFUSED);
    expect(JSON.stringify(answer.body)).not.toContain('TOKEN');
    expect(await lastOf(acme, one)).toEqual({ outcome: 'denied', reason });
    expect(issuer.times).toBe(before);
  });

  it('that it has not signed, or not by an asymmetric key of its own, is refused', async () => {
    const honest = await issuer.token(us);
    const [header = '', body = '', signature = ''] = honest.split('.');
    const [{ jwk, kid }] = issuer.keys.slice(-1) as [(typeof issuer.keys)[number]];
    const b64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const pem = createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
    const symmetric = (secret: string): Promise<string> =>
      new SignJWT(decodeJwt(honest))
        .setProtectedHeader({ alg: 'HS256', kid })
        .sign(new TextEncoder().encode(secret));
    const shown = [
      `${b64({ alg: 'none', kid })}.${body}.`,
      `${b64({ alg: 'RS256', kid })}.${body}.`,
      await symmetric(String(pem)),
      await symmetric(JSON.stringify(jwk)),
      await issuer.token(us, { key: { ...(await newSigningKey()), kid } }),
      `${header}.${b64({ ...decodeJwt(honest), extra: true })}.${signature}`,
      await issuer.token(us, { header: { typ: 'at+jwt' } }),
      await issuer.token(us, { header: { kid: undefined, alg: 'PS256' }, key: await newSigningKey('PS256') }),
      'no.token.atall',
      'x',
    ];
    for (const [at, token] of shown.entries())
      expect({ at, ...saidOf(await show(token)) }).toEqual({ at, ...REFUSED });
    given(await show(honest));
  });

  it('leads us nowhere: keys that its header names or carries are not looked at', async () => {
    const evil = await WorkloadIssuer.start();
    const [key] = evil.keys.slice(-1) as [(typeof evil.keys)[number]];
    const jku = evil.url.replace('/clusters/one', '/keys');
    const { kid } = issuer.keys.at(-1) ?? key;
    for (const header of [{ jku }, { x5u: jku }, { jwk: key.jwk }, { jku, jwk: key.jwk, kid: key.kid }]) {
      const token = await issuer.token(us, { key: { ...key, kid }, header });
      expect(saidOf(await show(token))).toEqual(REFUSED);
    }
    expect(evil.times).toBe(0);
    await evil.close();
  });
});

describe('the client', () => {
  it('is named by the form, and never by the token', async () => {
    const shown = { client_assertion_type: ASSERTION_TYPE };
    const token = await issuer.token(us);
    expect(saidOf(await askToken(app.baseUrl, { ...shown, client_assertion: token }))).toEqual(REFUSED);
    const self = await federatedClient(acme.api, issuer);
    const path = `/v1/oauth-clients/${self.id}`;
    const federation = { issuer: issuer.url, subject: self.clientId };
    await must(acme.api.patch(path, { federation }), 200);
    const naming = await issuer.token(us, { claims: { sub: self.clientId } });
    expect(saidOf(await askToken(app.baseUrl, { ...shown, client_assertion: naming }))).toEqual(REFUSED);
    expect(await lastOf(acme, self)).toEqual({ outcome: 'denied', reason: 'CLIENT_NOT_NAMED' });
    given(await show(naming, {}, self));
  });

  it('proves itself in no other way, and others not in this one', async () => {
    const secret = await createClient(acme.api);
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    const publicKeys = [await exportJWK(publicKey)];
    const keyed = await createClient(acme.api, { authentication: 'private_key_jwt', publicKeys });
    const asserted = await new SignJWT({ jti: randomUUID() })
      .setProtectedHeader({ alg: 'ES256' })
      .setIssuer(one.clientId)
      .setSubject(one.clientId)
      .setAudience(us)
      .setExpirationTime('1m')
      .sign(privateKey);
    expect(saidOf(await show(asserted))).toEqual(REFUSED);
    for (const shown of [secret.clientSecret ?? '-', 'wxs_x'])
      expect(saidOf(await askToken(app.baseUrl, {}, basic(one.clientId, shown)))).toEqual(REFUSED);
    const both = { client_secret: secret.clientSecret ?? '-' };
    expect((await show(await issuer.token(us), both)).status).toBe(400);
    for (const other of [secret, keyed])
      expect(saidOf(await show(await issuer.token(us), {}, other))).toEqual(REFUSED);
  });

  it('is of its organisation: one of another that trusts the same gives nothing of this one', async () => {
    const foreign = await federatedClient(globex.api, issuer, {}, { role: 'Admin' });
    const token = await issuer.token(us);
    const theirs = given(await show(token, {}, foreign));
    expect((await whoIs(app.baseUrl, theirs)).client?.id).toBe(foreign.id);
    expect((await client(app.baseUrl, theirs).get(`/v1/oauth-clients/${one.id}`)).status).toBe(404);
    const acmes = { 'x-tenant-slug': acme.slug };
    expect((await client(app.baseUrl, theirs, acmes).get('/v1/me')).status).toBe(403);
    // Under the name of neither, and under this one's where it is trusted there alone.
    const apart = await federatedClient(globex.api, issuer, { subject: 'repo:globex/app' });
    const of = await issuer.token(us, { claims: { sub: 'repo:globex/app' } });
    given(await show(of, {}, apart));
    expect(saidOf(await show(of))).toEqual(REFUSED);
    const mixed = { clientId: one.clientId.replace(/(?<=_)[0-9a-f]{16}/, globex.id.slice(2)) };
    expect(saidOf(await showToken(app.baseUrl, mixed, token))).toEqual(REFUSED);
  });

  it('trusts what it is set to trust now; what it was given before goes on, and the log says what was set', async () => {
    const changing = await federatedClient(acme.api, issuer);
    const path = `/v1/oauth-clients/${changing.id}`;
    const before = given(await show(await issuer.token(us), {}, changing));
    const federation = { issuer: issuer.url, subject: 'repo:acme/app:ref:refs/heads/main' };
    const changed = await must(acme.api.patch<ClientDto>(path, { federation }), 200);
    expect(changed.federation).toEqual({ ...federation, audience: us });
    expect(saidOf(await show(await issuer.token(us), {}, changing))).toEqual(REFUSED);
    given(await show(await issuer.token(us, { claims: { sub: federation.subject } }), {}, changing));
    expect((await whoIs(app.baseUrl, before)).client?.id).toBe(changing.id);
    const [event] = await acme.api.all<object>('/v1/audit/events?action=oauth_client.updated');
    expect(event).toMatchObject({ changes: { fields: ['federation'], federation: changed.federation } });
    await must(acme.api.patch(path, { status: 'disabled' }), 200);
    await eventually(
      async () => expect((await client(app.baseUrl, before).get('/v1/me')).status).toBe(401),
      SECOND,
    );
    const shown = await issuer.token(us, { claims: { sub: federation.subject } });
    expect(saidOf(await show(shown, {}, changing))).toEqual(REFUSED);
  });
});
