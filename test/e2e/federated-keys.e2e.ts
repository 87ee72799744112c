import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CreatedClientDto } from '../../src/oauth/clients.dto.js';
import { newSigningKey } from '../fakes/ssf-transmitter.js';
import { WorkloadIssuer } from '../fakes/workload-issuer.js';
import { eventually } from '../support/eventually.js';
import { federatedClient, lastOf, showToken } from '../support/federated.js';
import { issuerOf, saidOf, type OAuthAnswer } from '../support/oauth.js';
import { sharedApplication } from '../support/shared-application.js';
import { createTenant, type TestTenant } from '../support/tenants.js';

const SECOND = 1_000;
const REFUSED = { status: 401, error: 'invalid_client' };
const LATER = { status: 503, error: 'temporarily_unavailable' };
const app = sharedApplication();
const us = issuerOf(app.baseUrl);
let acme: TestTenant;
let globex: TestTenant;
let issuer: WorkloadIssuer;
let one: CreatedClientDto;

beforeAll(async () => {
  [acme, globex] = [await createTenant(app), await createTenant(app)];
});

// Each test has an issuer of which nothing is known yet.
beforeEach(async () => {
  issuer = await WorkloadIssuer.start();
  one = await federatedClient(acme.api, issuer);
});
afterEach(() => issuer.close());

const show = (token: string, by: Pick<CreatedClientDto, 'clientId'> = one): Promise<OAuthAnswer> =>
  showToken(app.baseUrl, by, token);
const statusOf = async (token: string | Promise<string>, by = one): Promise<number> =>
  (await show(await token, by)).status;

describe('the keys of an issuer', () => {
  it('are asked for once, for however many tokens and organisations, and not when a client is made', async () => {
    expect(issuer.times).toBe(0);
    const other = await federatedClient(globex.api, issuer);
    const token = await issuer.token(us);
    const shown = await Promise.all(
      [one, other, one, other, one, other].map((client) => statusOf(token, client)),
    );
    expect(new Set(shown)).toEqual(new Set([200]));
    expect(issuer.asked).toEqual({ document: 1, keys: 1, other: 0 });
  });

  it('are rolled over with no token refused, those of both keys while both are published', async () => {
    const [former] = issuer.keys as [(typeof issuer.keys)[number]];
    const old = await issuer.token(us, { key: former });
    expect(await statusOf(old)).toBe(200);
    const next = await newSigningKey('ES256');
    issuer.keys = [former, next];
    const tokens = await Promise.all(
      Array.from({ length: 12 }, (_none, at) => issuer.token(us, { key: at % 2 === 0 ? next : former })),
    );
    expect(new Set(await Promise.all(tokens.map((token) => statusOf(token))))).toEqual(new Set([200]));
    expect(issuer.asked).toEqual({ document: 2, keys: 2, other: 0 });
    // Gone from what is published, and read since: its tokens are nothing, although they have not ended.
    issuer.keys = [next];
    const stranger = await newSigningKey();
    await eventually(async () => {
      expect(await statusOf(issuer.token(us, { key: stranger }))).toBe(401);
      expect(await statusOf(old)).toBe(401);
    }, 20 * SECOND);
    expect(await lastOf(acme, one)).toEqual({ outcome: 'denied', reason: 'CLIENT_TOKEN_KEY' });
    expect(await statusOf(issuer.token(us))).toBe(200);
  });

  it('are not asked for again and again by tokens that are signed by nobody', async () => {
    expect(await statusOf(issuer.token(us))).toBe(200);
    const forged = await Promise.all(
      Array.from({ length: 40 }, async () => issuer.token(us, { key: await newSigningKey('ES256') })),
    );
    for (const half of [forged.slice(0, 20), forged.slice(20)])
      for (const status of await Promise.all(half.map((token) => statusOf(token)))) expect(status).toBe(401);
    expect(issuer.asked).toEqual({ document: 2, keys: 2, other: 0 });
    expect(await statusOf(issuer.token(us))).toBe(200);
  });

  it('are asked for in the name of a client of theirs alone', async () => {
    const unknown = { clientId: `${one.clientId.slice(0, -4)}0000` };
    const nobody = { clientId: 'system:serviceaccount:provisioning:sync' };
    for (const client of [unknown, nobody])
      expect(saidOf(await show(await issuer.token(us), client))).toEqual(REFUSED);
    expect(issuer.times).toBe(0);
  });
});

describe('an issuer that cannot be reached', () => {
  it('makes it late, and neither believed nor refused, until it is there again', async () => {
    issuer.down = true;
    const token = await issuer.token(us);
    const answer = await show(token);
    expect(saidOf(answer)).toEqual(LATER);
    expect(answer.headers.get('retry-after')).toBeTruthy();
    expect(await lastOf(acme, one)).toEqual({ outcome: 'failure', reason: 'OAUTH_ISSUER_UNREACHABLE' });
    const again = await Promise.all(Array.from({ length: 20 }, () => show(token)));
    for (const one of again) expect(saidOf(one)).toEqual(LATER);
    expect(issuer.times).toBe(1);
    issuer.down = false;
    await eventually(async () => expect(await statusOf(token)).toBe(200), 20 * SECOND);
    expect(issuer.asked).toEqual({ document: 2, keys: 1, other: 0 });
    // What is known is enough for ten minutes.
    issuer.down = true;
    expect(await statusOf(issuer.token(us))).toBe(200);
  });

  it('is one that is not there at all, or answers nothing of use', async () => {
    const gone = await WorkloadIssuer.start();
    const lost = await federatedClient(acme.api, gone);
    await gone.close();
    expect(saidOf(await show(await gone.token(us), lost))).toEqual(LATER);
    issuer.published = { jwks_uri: issuer.url };
    expect(saidOf(await show(await issuer.token(us)))).toEqual(LATER);
  });

  it.each<[string, (keys: WorkloadIssuer['keys']) => WorkloadIssuer['keys']]>([
    ['more keys', ([key]) => Array.from({ length: 101 }, () => key as (typeof issuer.keys)[number])],
    [
      'longer ones',
      (keys) => keys.map((key) => ({ ...key, jwk: { ...key.jwk, x5c: ['x'.repeat(131_072)] } })),
    ],
  ])('is one that publishes %s than anybody needs', async (_what, beyond) => {
    issuer.keys = beyond(issuer.keys);
    expect(saidOf(await show(await issuer.token(us)))).toEqual(LATER);
  });
});

describe('what is published under an issuer', () => {
  it.each<[string, () => Record<string, unknown>]>([
    ['another issuer', () => ({ issuer: issuer.url.replace('one', 'two') })],
    ['the issuer with a slash more', () => ({ issuer: `${issuer.url}/` })],
    ['no issuer', () => ({ issuer: undefined })],
    ['no keys', () => ({ jwks_uri: undefined })],
    ['keys at an address that is none', () => ({ jwks_uri: '/keys' })],
    ['keys in a file', () => ({ jwks_uri: 'file:///etc/passwd' })],
    ['keys at an address beyond all measure', () => ({ jwks_uri: `${issuer.url}/${'k'.repeat(1_000)}` })],
  ])('is not believed where it names %s', async (_what, published) => {
    issuer.published = published();
    for (const _time of [1, 2, 3]) expect(saidOf(await show(await issuer.token(us)))).toEqual(REFUSED);
    expect(await lastOf(acme, one)).toEqual({ outcome: 'denied', reason: 'CLIENT_ISSUER_UNFIT' });
    expect(issuer.asked).toEqual({ document: 1, keys: 0, other: 0 });
  });

  it('is read at no address of the operator’s network, wherever the issuer says that its keys are', async () => {
    issuer.published = { jwks_uri: 'http://169.254.169.254/latest/meta-data' };
    expect(saidOf(await show(await issuer.token(us)))).toEqual(LATER);
  });
});
