import { SignJWT, type JWTPayload } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { MeDto, TokensDto } from '../../src/auth/auth.dto.js';
import type { SessionsDto } from '../../src/auth/sessions.dto.js';
import type { ConnectionDto, RoleMappingDto } from '../../src/federation/connections.dto.js';
import type { TestReportDto } from '../../src/federation/tests.dto.js';
import type { BegunTotpDto, SecondFactorDueDto } from '../../src/mfa/mfa.dto.js';
import { CLIENT, OidcIssuer } from '../fakes/oidc-issuer.js';
import { newPeerKey, startOidcPeer, type OidcPeer } from '../fakes/oidc-provider-peer.js';
import { startFakeNameServer, type OwnNameServer } from '../fakes/name-server.js';
import { grant, makeRole } from '../support/access.js';
import { startApplication, type Application } from '../support/application.js';
import { Browser, type Page } from '../support/browser.js';
import { client, must, refusal, type Client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { eventually } from '../support/eventually.js';
import { proveFactor, withTotp, type WithTotp } from '../support/second-factors.js';
import { activeConnection, lastEvent, ssoUrl, steppedUp, verifiedDomain } from '../support/single-sign-on.js';
import { createPerson, createTenant, signIn, type TestTenant } from '../support/tenants.js';
import { codeBefore, codeNow } from '../support/totp.js';

const ROLES: RoleMappingDto = {
  rules: [{ claim: 'groups', value: 'builders', role: 'Developer' }],
  defaultRole: 'Viewer',
  everySignIn: true,
};

let app: Application;
let names: OwnNameServer;
let issuer: OidcIssuer;
let acme: TestTenant;
let globex: TestTenant;
let owner: Client;
let domain: string;
let connection: ConnectionDto;

beforeAll(async () => {
  [names, issuer] = [await startFakeNameServer(), await OidcIssuer.start()];
  app = await startApplication({
    env: { IDENTITY_PROVIDERS_ALLOW: '127.0.0.0/8', DNS_SERVERS: names.server },
  });
  // The application says its own address as browsers see it.
  Object.assign(app, { baseUrl: app.baseUrl.replace('127.0.0.1', 'localhost') });
  [acme, globex] = [await createTenant(app), await createTenant(app)];
  owner = await steppedUp(app, acme);
  ({ name: domain } = await verifiedDomain(owner, names));
  connection = await activeConnection(owner, {
    type: 'oidc',
    oidc: { issuer: issuer.url, clientId: CLIENT.id, clientSecret: CLIENT.secret },
    provisioning: true,
    roles: ROLES,
  });
});
afterAll(async () => {
  await app.dispose();
  await Promise.all([names.close(), issuer.close()]);
});
beforeEach(async () => {
  owner = await steppedUp(app, acme);
});
afterEach(() => issuer.honest());

const start = (browser: Browser, one = connection, tenant = acme): Promise<Page> =>
  browser.get(`${ssoUrl(app, tenant, one, 'start')}?returnTo=/agents`);

/** A whole sign-in of a browser; what comes back of it. */
async function attempt(claims: JWTPayload, one = connection, browser = new Browser()): Promise<Page> {
  issuer.claims = claims;
  const { location } = await start(browser, one);
  return browser.get(issuer.approve(location ?? ''));
}

const ann = (more: JWTPayload = {}): JWTPayload => ({
  sub: 'ann',
  email: `ann@${domain}`,
  email_verified: true,
  name: 'Ann',
  ...more,
});

async function refusedWith(page: Page): Promise<string | undefined> {
  expect(page.status).toBe(401);
  expect(page.body).toMatchObject({ code: 'SSO_FAILED' });
  const event = await lastEvent(acme, 'session.created');
  expect(event?.outcome).toBe('denied');
  return event?.reason;
}

describe('a sign-in through an OpenID Connect provider', () => {
  it('begins with everything that the standard has against mix-ups', async () => {
    const page = await start(new Browser());
    expect(page.status).toBe(302);
    const { parameters, redirectUri } = issuer.read(page.location ?? '');
    expect(redirectUri).toBe(ssoUrl(app, acme, connection, 'callback'));
    expect(Object.fromEntries(parameters)).toMatchObject({
      response_type: 'code',
      code_challenge_method: 'S256',
      client_id: CLIENT.id,
    });
    for (const name of ['state', 'nonce', 'code_challenge'])
      expect((parameters.get(name) ?? '').length).toBeGreaterThanOrEqual(43);
    expect(page.headers.get('set-cookie')).toMatch(
      /^__Host-waxell_sso_[0-9a-f]{16}=[\w-]{43}; Max-Age=600; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
    );
  });

  it('adds somebody of a verified domain, with the role of their group, and opens a session', async () => {
    const browser = new Browser();
    const page = await attempt(ann({ groups: ['builders'] }), connection, browser);
    expect([page.status, page.location]).toEqual([302, `${app.baseUrl}/agents`]);
    const session = client(app.baseUrl, undefined, {
      cookie: browser.cookies(app.baseUrl),
      accept: 'text/html',
      'user-agent': 'node',
    });
    const me = await must(session.get<MeDto>('/v1/me'), 200);
    expect(me.user).toMatchObject({ email: `ann@${domain}`, displayName: 'Ann', role: 'Developer' });
    expect(me.tenant.id).toBe(acme.id);
    expect(await lastEvent(acme, 'session.created')).toMatchObject({
      outcome: 'success',
      changes: { method: 'oidc', account: 'added', role: 'Developer' },
    });
  });

  it('knows the person by the subject from then on, whatever the address has become', async () => {
    const page = await attempt({ sub: 'ann', email: 'somebody@else.example', email_verified: false });
    expect(page.status).toBe(302);
    const event = await lastEvent(acme, 'session.created');
    expect(event?.changes).toMatchObject({ account: 'known', role: 'Viewer' });
  });

  it('links to an account with the same address, where both the provider and the DNS vouch for it', async () => {
    const body = { email: `bob@${domain}`, password: 'correct horse battery staple 1', role: 'Developer' };
    const bob = await must(acme.api.post<{ id: string }>('/v1/users', body), 201);
    const page = await attempt(ann({ sub: 'bob', email: `Bob@${domain}` }));
    expect(page.status).toBe(302);
    expect((await lastEvent(acme, 'session.created'))?.changes).toMatchObject({
      account: 'linked',
      user: bob.id,
    });
  });

  it('gives a program the tokens in the body, when it asks for JSON', async () => {
    issuer.claims = ann();
    const browser = new Browser();
    const json = { accept: 'application/json' };
    const begun = await browser.get(ssoUrl(app, acme, connection, 'start'), json);
    const { authorizationUrl } = begun.body as { authorizationUrl: string };
    const page = await browser.get(issuer.approve(authorizationUrl), json);
    const { accessToken } = page.body as TokensDto;
    expect((await client(app.baseUrl, accessToken).get('/v1/me')).status).toBe(200);
  });

  it('works by the organisation’s name as well, and with a key that replaced another a moment ago', async () => {
    expect((await attempt(ann())).status).toBe(302);
    await issuer.rollOver('ES256');
    const browser = new Browser();
    issuer.claims = ann();
    const page = await browser.get(`${app.baseUrl}/v1/sso/${acme.slug}/${connection.id}/start`);
    expect((await browser.get(issuer.approve(page.location ?? ''))).status).toBe(302);
    await issuer.rollOver('RS256');
    expect((await attempt(ann())).status).toBe(302);
  });

  it('asks where the groups are, where they do not fit into the token, and refuses who has them unread', async () => {
    issuer.groups = { status: 200, value: ['staff', 'builders'] };
    const overage = {
      _claim_names: { groups: 'src1' },
      _claim_sources: { src1: { endpoint: `${issuer.url}/groups` } },
    };
    expect((await attempt(ann(overage))).status).toBe(302);
    expect((await lastEvent(acme, 'session.created'))?.changes).toMatchObject({ role: 'Developer' });
    expect(issuer.asked.find(({ path }) => path === '/groups')?.authorization).toBe('Bearer access');
    issuer.groups = { status: 403, value: undefined };
    expect(await refusedWith(await attempt(ann(overage)))).toBe('OIDC_GROUPS_UNAVAILABLE');
    const elsewhere = { ...overage, _claim_sources: { src1: { endpoint: 'http://127.0.0.1:9/groups' } } };
    expect(await refusedWith(await attempt(ann(elsewhere)))).toBe('OIDC_GROUPS_UNAVAILABLE');
  });
});

describe('somebody who says their address', () => {
  const discover = async (at: string): Promise<unknown> =>
    must(client(app.baseUrl).post('/v1/auth/discover', { email: `x@${at}` }), 200);

  it('is sent to the connection that names their domain, else to the oldest that names none', async () => {
    const second = await verifiedDomain(owner, names);
    const oidc = { issuer: issuer.url, clientId: CLIENT.id, clientSecret: CLIENT.secret };
    const body = { type: 'oidc' as const, oidc, domains: [second.name.toUpperCase()] };
    const named = await activeConnection(owner, body);
    expect(named.domains).toEqual([second.name]);
    const to = (one: { id: string }) => ({ method: 'sso', startUrl: ssoUrl(app, acme, one, 'start') });
    expect(await discover(second.name)).toEqual(to(named));
    expect(await discover(domain)).toEqual(to(connection));
    // Domains of others cannot be named, nor such as are not verified.
    const theirs = await verifiedDomain(await steppedUp(app, globex), names);
    for (const wrong of [theirs.name, `x.${domain}`, 'no domain'])
      expect(await refusal(owner.patch(`/v1/sso/connections/${named.id}`, { domains: [wrong] }))).toEqual({
        status: 422,
        code: 'DOMAIN_NOT_VERIFIED',
      });
    expect(await discover(theirs.name)).toEqual({ method: 'password' });
    await must(owner.patch(`/v1/sso/connections/${named.id}`, { domains: [] }), 200);
    expect(await discover(second.name)).toEqual(to(connection));
    await must(owner.delete(`/v1/sso/connections/${named.id}`), 204);
  });
});

describe('claims that a rule looks at', () => {
  it('are asked for at the userinfo endpoint where the ID token has none, so that nobody loses a role by it', async () => {
    issuer.userInfo = { groups: ['builders'] };
    expect((await attempt(ann())).status).toBe(302);
    expect((await lastEvent(acme, 'session.created'))?.changes).toMatchObject({ role: 'Developer' });
    // What the ID token says itself counts, and nobody is asked.
    const before = issuer.asked.length;
    expect((await attempt(ann({ groups: ['others'] }))).status).toBe(302);
    expect((await lastEvent(acme, 'session.created'))?.changes).toMatchObject({ role: 'Viewer' });
    expect(issuer.asked.slice(before).map(({ path }) => path)).not.toContain('/userinfo');
  });
});

describe('somebody who has a second factor here', () => {
  const json = { accept: 'application/json' };
  let totp: WithTotp;
  let claims: JWTPayload;

  beforeAll(async () => {
    const email = `two@${domain}`;
    const password = 'correct horse battery staple 1';
    const { id } = await must(
      acme.api.post<{ id: string }>('/v1/users', { email, password, role: 'Viewer' }),
      201,
    );
    totp = await withTotp(app, acme, { id, email, password });
    claims = ann({ sub: 'two', email });
  });
  const trust = async (secondFactor: string): Promise<void> => {
    await must(owner.patch(`/v1/sso/connections/${connection.id}`, { oidc: { secondFactor } }), 200);
  };
  /** A program's sign-in, with what the provider says of it. */
  const signIn = async (said: JWTPayload = {}): Promise<Page> => {
    issuer.claims = { ...claims, ...said };
    const browser = new Browser();
    const begun = await browser.get(ssoUrl(app, acme, connection, 'start'), json);
    return browser.get(issuer.approve((begun.body as { authorizationUrl: string }).authorizationUrl), json);
  };

  it('proves it after the provider’s sign-in, which is no session before', async () => {
    const page = await signIn();
    expect(page.status).toBe(202);
    expect(page.headers.getSetCookie().join()).not.toContain('waxell_session');
    const { challenge, methods } = page.body as SecondFactorDueDto;
    expect(methods).toEqual(['totp', 'recovery_code']);
    expect(await lastEvent(acme, 'second_factor.asked')).toMatchObject({ changes: { method: 'oidc' } });
    const anyone = client(app.baseUrl);
    const described = anyone.post<SecondFactorDueDto>('/v1/auth/second-factor/options', { challenge });
    expect((await must(described, 200)).methods).toEqual(methods);
    const { accessToken } = await must(proveFactor(app, challenge, { totp: codeNow(totp.secret) }, {}), 200);
    const session = client(app.baseUrl, accessToken);
    const { items } = await must(session.get<SessionsDto>('/v1/auth/sessions'), 200);
    expect(items[0]).toMatchObject({ method: 'oidc', current: true });
    // The provider ends it as if it had been opened at once.
    const sub = String(claims.sub);
    const ended = await fetch(ssoUrl(app, acme, connection, 'backchannel-logout'), {
      method: 'POST',
      body: new URLSearchParams({ logout_token: await issuer.logoutToken({ sub }) }),
    });
    expect(ended.status).toBe(200);
    await eventually(async () => expect((await session.get('/v1/me')).status).toBe(401), 1_000);
    const gone = anyone.post('/v1/auth/second-factor/options', { challenge });
    expect(await refusal(gone)).toEqual({ status: 401, code: 'CHALLENGE_INVALID' });
  });

  it('comes in no more once the connection is switched off, between the two', async () => {
    const { challenge } = (await signIn()).body as SecondFactorDueDto;
    const set = (state: string) => owner.patch(`/v1/sso/connections/${connection.id}`, { state });
    await must(set('disabled'), 200);
    const [recoveryCode = ''] = totp.recoveryCodes;
    const late = proveFactor(app, challenge, { recoveryCode }, {});
    expect(await refusal(late)).toEqual({ status: 401, code: 'SSO_FAILED' });
    await must(set('active'), 200);
    // Nothing of it has happened: the code is still good.
    const anew = (await signIn()).body as SecondFactorDueDto;
    expect((await proveFactor(app, anew.challenge, { recoveryCode }, {})).status).toBe(200);
  });

  it('comes in no more once the provider has logged them out, between the two, and somebody else still does', async () => {
    const logOut = async (named: Record<string, unknown>): Promise<void> => {
      const body = new URLSearchParams({ logout_token: await issuer.logoutToken(named) });
      const url = ssoUrl(app, acme, connection, 'backchannel-logout');
      expect((await fetch(url, { method: 'POST', body })).status).toBe(200);
    };
    const [, recoveryCode = ''] = totp.recoveryCodes;
    const sub = String(claims.sub);
    await logOut({ sub });
    for (const named of [{ sub }, { sid: 'here' }, { sub, sid: 'here' }]) {
      const { challenge } = (await signIn({ sid: 'here' })).body as SecondFactorDueDto;
      await logOut({ sub: 'ann', sid: 'here' });
      await logOut({ sub, sid: 'elsewhere' });
      const described = client(app.baseUrl).post('/v1/auth/second-factor/options', { challenge });
      expect((await described).status).toBe(200);
      await logOut(named);
      expect((await lastEvent(acme, 'sso.ended'))?.changes).toMatchObject({ signIns: 1 });
      const late = proveFactor(app, challenge, { recoveryCode }, {});
      expect(await refusal(late)).toEqual({ status: 401, code: 'CHALLENGE_INVALID' });
    }
    const anew = (await signIn({ sid: 'here' })).body as SecondFactorDueDto;
    expect((await proveFactor(app, anew.challenge, { recoveryCode }, {})).status).toBe(200);
  });

  it('comes to a page for it as a browser, with the challenge where no server sees it', async () => {
    const page = await attempt(claims);
    expect(page.status).toBe(302);
    const to = new URL(page.location ?? '');
    expect(to.origin + to.pathname + to.search).toBe(`${app.baseUrl}/second-factor`);
    const behind = new URLSearchParams(to.hash.slice(1));
    expect(behind.get('challenge')).toMatch(/^wxm_[0-9a-f]{16}_[\w-]{43}$/);
    expect(behind.get('returnTo')).toBe('/agents');
  });

  it('is asked for none where the provider says that it has asked, as far as the connection believes it', async () => {
    expect((await signIn({ amr: ['pwd', 'mfa'] })).status).toBe(200);
    expect((await lastEvent(acme, 'session.created'))?.changes).toMatchObject({ secondFactor: 'provider' });
    expect((await signIn({ amr: ['pwd'] })).status).toBe(202);
    await trust('always');
    expect((await signIn({ amr: ['pwd'] })).status).toBe(200);
    await trust('never');
    expect((await signIn({ amr: ['pwd', 'mfa'] })).status).toBe(202);
    await trust('claimed');
  });

  it('proves themselves again at the provider only where that asks for a second factor too', async () => {
    const { accessToken } = (await signIn({ amr: ['mfa'] })).body as TokensDto;
    const session = client(app.baseUrl, accessToken);
    const proveAgain = async (said: JWTPayload): Promise<Page> => {
      const asked = await session.post<{ authorizationUrl: string }>('/v1/sso/step-up', { returnTo: '/' });
      const cookie = (asked.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
      issuer.claims = { ...claims, auth_time: Math.floor(Date.now() / 1_000), ...said };
      return new Browser().get(issuer.approve(asked.body.authorizationUrl), { cookie });
    };
    expect((await proveAgain({})).status).toBe(401);
    const refused = await lastEvent(acme, 'session.stepped_up');
    expect(refused).toMatchObject({ outcome: 'denied', reason: 'SSO_SECOND_FACTOR' });
    expect((await session.post('/v1/me/recovery-codes')).status).toBe(403);
    expect((await proveAgain({ amr: ['mfa'] })).status).toBe(302);
    expect((await session.post('/v1/me/recovery-codes')).status).toBe(201);
  });
});

describe('an answer that is not the provider’s own, or not to this sign-in, is refused', () => {
  const seconds = (): number => Math.floor(Date.now() / 1_000);
  it.each<[string, () => JWTPayload]>([
    ['another nonce', () => ({ nonce: 'another' })],
    ['no nonce', () => ({ nonce: undefined })],
    ['another issuer', () => ({ iss: 'https://evil.example' })],
    ['another audience', () => ({ aud: 'another-client' })],
    ['a second audience without azp', () => ({ aud: [CLIENT.id, 'another'], azp: 'another' })],
    ['an ID token that has expired', () => ({ iat: seconds() - 900, exp: seconds() - 300 })],
    [
      'an ID token of the future',
      () => ({ iat: seconds() + 600, nbf: seconds() + 600, exp: seconds() + 900 }),
    ],
    ['no subject', () => ({ sub: undefined })],
    ['no expiry', () => ({ exp: undefined })],
  ])('%s', async (_name, claims) => {
    expect(await refusedWith(await attempt(ann(claims())))).toBe('OIDC_RESPONSE_INVALID');
  });

  it.each<[string, (token: string) => Promise<string> | string]>([
    ['no signature', (token) => `${b64({ alg: 'none' })}.${token.split('.')[1]}.`],
    ['a signature by another key', (token) => resigned(token)],
    ['a signature by the client’s secret (HS256)', (token) => hmac(token)],
    ['claims that were changed after signing', (token) => changed(token)],
    [
      'an algorithm that the provider does not publish',
      (token) => `${b64({ alg: 'ES512', kid: 'x' })}.${token.split('.').slice(1).join('.')}`,
    ],
  ])('%s', async (_name, forge) => {
    issuer.forge = forge;
    expect(await refusedWith(await attempt(ann()))).toBe('OIDC_RESPONSE_INVALID');
  });

  it('another issuer in the answer (RFC 9207), or none where the provider says that it sends one', async () => {
    for (const iss of ['https://evil.example', '']) {
      const browser = new Browser();
      issuer.claims = ann();
      const { location } = await start(browser);
      const back = new URL(issuer.approve(location ?? '', iss === '' ? {} : { iss }));
      if (iss === '') back.searchParams.delete('iss');
      expect(await refusedWith(await browser.get(back.href))).toBe('OIDC_RESPONSE_INVALID');
    }
  });

  it('an error of the provider, told as such, and kept as the last error of the connection', async () => {
    const browser = new Browser();
    const { location } = await start(browser);
    const { redirectUri, state } = issuer.read(location ?? '');
    const back = `${redirectUri}?${new URLSearchParams({ error: 'access_denied', state, iss: issuer.url }).toString()}`;
    expect(await refusedWith(await browser.get(back))).toBe('SSO_PROVIDER_ERROR');
    const after = await must(acme.api.get<ConnectionDto>(`/v1/sso/connections/${connection.id}`), 200);
    expect(after.lastError).toMatch(/^SSO_PROVIDER_ERROR: .* It says: access_denied\.$/);
    expect((await attempt(ann())).status).toBe(302);
    const healed = await must(acme.api.get<ConnectionDto>(`/v1/sso/connections/${connection.id}`), 200);
    expect(healed.lastError).toBeUndefined();
  });

  it.each<[string, Partial<Record<'tokenError' | 'challenge', string>>, RegExp]>([
    [
      'a secret that has expired',
      { tokenError: 'invalid_client' },
      /^OIDC_CLIENT_REFUSED: .* It says: invalid_client\.$/,
    ],
    [
      'a client that is refused by 401 alone',
      { challenge: 'Basic realm="x"' },
      /^OIDC_CLIENT_REFUSED: [^:]*: [^:]*\.$/,
    ],
    [
      'a code that is refused',
      { tokenError: 'invalid_grant' },
      /^OIDC_RESPONSE_INVALID: .* It says: invalid_grant\.$/,
    ],
    ['a code that is none', { tokenError: '<b>s3cret</b>' }, /^OIDC_RESPONSE_INVALID: The answer [^:]*\.$/],
  ])('%s, told in words, by the button too', async (_name, wrong, said) => {
    issuer.wrong = wrong;
    expect((await attempt(ann())).status).toBe(401);
    const path = `/v1/sso/connections/${connection.id}`;
    const { lastError = '' } = await must(acme.api.get<ConnectionDto>(path), 200);
    expect(lastError).toMatch(said);
    const { url } = await must(owner.post<{ url: string }>(`${path}/test`), 200);
    const browser = new Browser();
    const { location } = await browser.get(url);
    const { status, body } = await browser.get(issuer.approve(location ?? ''));
    const { works, code, why } = body as TestReportDto;
    expect([status, works, `${code}: ${why}`]).toEqual([200, false, lastError]);
  });

  it('a provider that is not there, told in words, by the button too', async () => {
    const gone = await OidcIssuer.start();
    const settings = { issuer: gone.url, clientId: CLIENT.id, clientSecret: CLIENT.secret };
    const draft = owner.post<ConnectionDto>('/v1/sso/connections', {
      name: 'gone',
      type: 'oidc',
      oidc: settings,
    });
    const { id } = await must(draft, 201);
    await gone.close();
    const ordered = await must(owner.post<{ url: string }>(`/v1/sso/connections/${id}/test`), 200);
    const { status, body } = await new Browser().get(ordered.url);
    expect(status).toBe(200);
    expect(body).toMatchObject({ works: false, code: 'SSO_PROVIDER_UNREACHABLE', claims: {} });
    const reports = owner.get<{ items: TestReportDto[] }>(`/v1/sso/connections/${id}/tests`);
    expect((await must(reports, 200)).items).toHaveLength(1);
    // An order is good for one.
    expect((await new Browser().get(ordered.url)).status).toBe(401);
    await asSuperuser(app.home, 'us-east-1', (database) =>
      database.query({
        text: `UPDATE "${acme.id}".sso_connections SET state = 'active' WHERE id = $1`,
        values: [id],
      }),
    );
    expect((await new Browser().get(ssoUrl(app, acme, { id }, 'start'))).status).toBe(422);
    const { lastError } = await must(acme.api.get<ConnectionDto>(`/v1/sso/connections/${id}`), 200);
    expect(lastError).toMatch(
      /^SSO_PROVIDER_UNREACHABLE: The provider did not answer, or not as the standard says\. ./,
    );
    await must(owner.delete(`/v1/sso/connections/${id}`), 204);
  });

  it('a second time', async () => {
    const browser = new Browser();
    issuer.claims = ann();
    const { location } = await start(browser);
    const cookie = browser.cookies(app.baseUrl);
    const back = issuer.approve(location ?? '');
    expect((await browser.get(back)).status).toBe(302);
    expect(await refusedWith(await new Browser().get(back, { cookie }))).toBe('SSO_STATE_UNKNOWN');
  });

  it('from another browser, which does not spoil it for the one that began', async () => {
    const browser = new Browser();
    issuer.claims = ann();
    const { location } = await start(browser);
    const back = issuer.approve(location ?? '');
    expect(await refusedWith(await new Browser().get(back))).toBe('SSO_BROWSER_OTHER');
    const other = new Browser();
    await start(other);
    expect(await refusedWith(await other.get(back))).toBe('SSO_BROWSER_OTHER');
    expect((await browser.get(back)).status).toBe(302);
  });

  it('to another connection or organisation than the one it began at', async () => {
    const theirs = await activeConnection(await steppedUp(app, globex), {
      type: 'oidc',
      oidc: { issuer: issuer.url, clientId: CLIENT.id, clientSecret: CLIENT.secret },
    });
    const browser = new Browser();
    const { location } = await start(browser);
    const back = issuer.approve(location ?? '');
    const elsewhere = back.replace(acme.id, globex.id).replace(connection.id, theirs.id);
    expect((await browser.get(elsewhere)).body).toMatchObject({ code: 'SSO_FAILED' });
    expect((await browser.get(back.replace(acme.id, globex.id))).status).toBe(404);
    expect((await browser.get(ssoUrl(app, globex, connection, 'start'))).status).toBe(404);
  });

  it('two at once, of which one counts', async () => {
    const browser = new Browser();
    issuer.claims = ann();
    const { location } = await start(browser);
    const cookie = browser.cookies(app.baseUrl);
    const back = issuer.approve(location ?? '');
    const pages = await Promise.all([1, 2, 3, 4].map(() => new Browser().get(back, { cookie })));
    expect(pages.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([302, 401, 401, 401]);
  });
});

describe('somebody who is proven and still not let in', () => {
  it.each<[string, string, () => JWTPayload]>([
    [
      'an address that the provider has not verified',
      'SSO_EMAIL_UNVERIFIED',
      () => ann({ sub: 'x1', email_verified: false }),
    ],
    [
      'an address of a domain that is not the organisation’s',
      'SSO_EMAIL_DOMAIN',
      () => ann({ sub: 'x2', email: 'ann@elsewhere.example' }),
    ],
    ['no address', 'SSO_EMAIL_MISSING', () => ann({ sub: 'x3', email: undefined })],
    [
      'two addresses',
      'SSO_EMAIL_MISSING',
      () => ann({ sub: 'x4', email: [`ann@${domain}`, `owner@${domain}`] }),
    ],
    [
      'an address with a display name',
      'SSO_EMAIL_MISSING',
      () => ann({ sub: 'x5', email: `Ann <ann@${domain}>` }),
    ],
  ])('%s', async (_name, reason, claims) => {
    expect(await refusedWith(await attempt(claims()))).toBe(reason);
  });

  it('a person who was disabled', async () => {
    await attempt(ann({ sub: 'carl', email: `carl@${domain}` }));
    const user = String((await lastEvent(acme, 'session.created'))?.changes?.['user']);
    await must(acme.api.patch(`/v1/users/${user}`, { status: 'disabled' }), 200);
    expect(await refusedWith(await attempt(ann({ sub: 'carl' })))).toBe('SSO_ACCOUNT_DISABLED');
    expect(await refusedWith(await attempt(ann({ sub: 'another', email: `carl@${domain}` })))).toBe(
      'SSO_ACCOUNT_DISABLED',
    );
  });

  it('an Owner, through a connection that an Admin has set: who sets where people come from cannot come as more than they are', async () => {
    const admin = await createPerson(acme.api, 'Admin');
    const body = { email: `boss@${domain}`, password: 'correct horse battery staple 1', role: 'Owner' };
    await must(acme.api.post('/v1/users', body), 201);
    const session = await steppedUp(app, acme, admin);
    const own = await activeConnection(session, {
      type: 'oidc',
      oidc: { issuer: issuer.url, clientId: CLIENT.id, clientSecret: CLIENT.secret },
      provisioning: true,
    });
    expect(own.highestRole).toBe('Admin');
    // A name says nothing of whom it lets in.
    const renamed = owner.patch<ConnectionDto>(`/v1/sso/connections/${own.id}`, { name: 'renamed' });
    expect((await must(renamed, 200)).highestRole).toBe('Admin');
    expect(await refusedWith(await attempt(ann({ sub: 'boss', email: `boss@${domain}` }), own))).toBe(
      'SSO_ROLE_ABOVE_CONNECTION',
    );
    // The same through the connection that the Owner has set.
    expect((await attempt(ann({ sub: 'boss', email: `boss@${domain}` }))).status).toBe(302);
    // Touched by an Admin, it is an Admin's.
    await must(session.patch(`/v1/sso/connections/${connection.id}`, { linking: 'verified_email' }), 200);
    expect(await refusedWith(await attempt(ann({ sub: 'boss', email: `boss@${domain}` })))).toBe(
      'SSO_ROLE_ABOVE_CONNECTION',
    );
    await must(owner.patch(`/v1/sso/connections/${connection.id}`, { linking: 'verified_email' }), 200);
  });

  it('an Admin by a grant, through a connection that a Member has set', async () => {
    const setter = await createPerson(acme.api, 'Member');
    const role = await makeRole(acme.api, ['sso:read', 'sso:manage']);
    await grant(acme.api, '', setter.id, { roleId: role.id });
    const own = await activeConnection(await steppedUp(app, acme, setter), {
      type: 'oidc',
      oidc: { issuer: issuer.url, clientId: CLIENT.id, clientSecret: CLIENT.secret },
      roles: { rules: [], defaultRole: 'Member', everySignIn: false },
    });
    expect(own.highestRole).toBe('Member');
    const password = 'correct horse battery staple 1';
    const as = async (name: string): Promise<Page> => {
      const body = { email: `${name}@${domain}`, password, role: 'Member' };
      const { id } = await must(acme.api.post<{ id: string }>('/v1/users', body), 201);
      if (name === 'raised') await grant(acme.api, '', id, { role: 'Admin' });
      return attempt(ann({ sub: name, email: body.email }), own);
    };
    expect(await refusedWith(await as('raised'))).toBe('SSO_ROLE_ABOVE_CONNECTION');
    expect((await as('plain')).status).toBe(302);
  });

  it('as an Owner, whatever rules say: an Owner is made by people', async () => {
    const roles = (role: string, defaultRole = 'Viewer') => ({
      rules: [{ claim: 'groups', value: 'bosses', role }],
      defaultRole,
      everySignIn: true,
    });
    const path = `/v1/sso/connections/${connection.id}`;
    for (const wrong of [roles('Owner'), roles('Admin', 'Owner')])
      expect(await refusal(owner.patch(path, { roles: wrong }))).toEqual({
        status: 400,
        code: 'INVALID_REQUEST',
      });
    // A row of before: what it says is read as Admin.
    await asSuperuser(app.home, 'us-east-1', (database) =>
      database.query({
        text: `UPDATE "${acme.id}".sso_connections SET roles = $2 WHERE id = $1`,
        values: [connection.id, JSON.stringify(roles('Owner', 'Owner'))],
      }),
    );
    const read = await must(owner.get<ConnectionDto>(path), 200);
    expect(read.roles).toEqual(roles('Admin', 'Admin'));
    for (const groups of [['bosses'], []]) {
      const sub = `jit-${groups.length}`;
      await attempt(ann({ sub, email: `${sub}@${domain}`, groups }));
      const added = await lastEvent(acme, 'session.created');
      expect(added?.changes).toMatchObject({ account: 'added', role: 'Admin' });
    }
    await must(owner.patch(path, { roles: ROLES }), 200);
  });

  it('an account of another Google Workspace or Entra directory', async () => {
    const directory = 'b5a920d6-7d3c-44fe-baad-4ffed6b8774d';
    for (const [settings, claims, reason] of [
      [{ hostedDomain: 'acme.example' }, { hd: 'acme.example' }, 'OIDC_HOSTED_DOMAIN'],
      [{ entraTenantId: directory }, { tid: directory }, 'OIDC_DIRECTORY'],
    ] as const) {
      const one = await activeConnection(owner, {
        type: 'oidc',
        oidc: { issuer: issuer.url, clientId: CLIENT.id, clientSecret: CLIENT.secret, ...settings },
      });
      expect(await refusedWith(await attempt(ann(), one))).toBe(reason);
      expect(await refusedWith(await attempt(ann({ hd: 'evil.example', tid: 'evil' }), one))).toBe(reason);
      expect((await attempt(ann(claims), one)).status).toBe(302);
    }
  });
});

describe('a provider that ends a session', () => {
  const url = (): string => ssoUrl(app, acme, connection, 'backchannel-logout');
  const send = (token: string): Promise<Page> => new Browser().post(url(), { logout_token: token });

  async function signedIn(sub: string, sid: string): Promise<Client> {
    issuer.claims = ann({ sub, sid, email: `${sub}@${domain}` });
    const browser = new Browser();
    const json = { accept: 'application/json' };
    const begun = await browser.get(ssoUrl(app, acme, connection, 'start'), json);
    const { authorizationUrl } = begun.body as { authorizationUrl: string };
    const page = await browser.get(issuer.approve(authorizationUrl), json);
    return client(app.baseUrl, (page.body as TokensDto).accessToken);
  }

  const dead = (session: Client): Promise<void> =>
    eventually(async () => expect((await session.get('/v1/me')).status).toBe(401), 1_000);

  it('ends it here within a second, by subject or by session, and nobody else’s', async () => {
    const [first, second, other] = [
      await signedIn('dan', 's1'),
      await signedIn('dan', 's2'),
      await signedIn('eve', 's3'),
    ];
    expect((await send(await issuer.logoutToken({ sid: 's1' }))).status).toBe(200);
    await dead(first);
    expect((await second.get('/v1/me')).status).toBe(200);
    expect((await send(await issuer.logoutToken({ sub: 'dan' }))).status).toBe(200);
    await dead(second);
    expect((await other.get('/v1/me')).status).toBe(200);
    expect(await lastEvent(acme, 'sso.ended')).toMatchObject({
      outcome: 'success',
      changes: { sessions: 1 },
    });
  });

  it('is believed once', async () => {
    const token = await issuer.logoutToken({ sub: 'dan' });
    expect((await send(token)).status).toBe(200);
    expect((await send(token)).status).toBe(400);
    expect((await lastEvent(acme, 'sso.ended'))?.reason).toBe('LOGOUT_REPLAYED');
  });

  it.each<[string, string, () => Promise<string>]>([
    [
      'an ID token',
      'LOGOUT_TOKEN_SIGNATURE_OR_CLAIMS',
      () =>
        issuer.sign({
          iss: issuer.url,
          aud: CLIENT.id,
          sub: 'eve',
          nonce: 'n',
          iat: Math.floor(Date.now() / 1_000),
          exp: 2_000_000_000,
        }),
    ],
    ['a token with a nonce', 'LOGOUT_TOKEN_NONCE', () => issuer.logoutToken({ sub: 'eve', nonce: 'n' })],
    [
      'another event',
      'LOGOUT_TOKEN_EVENT',
      () => issuer.logoutToken({ sub: 'eve', events: { another: {} } }),
    ],
    ['nobody', 'LOGOUT_TOKEN_NOBODY', () => issuer.logoutToken({})],
    [
      'another audience',
      'LOGOUT_TOKEN_SIGNATURE_OR_CLAIMS',
      () => issuer.logoutToken({ sub: 'eve', aud: 'another' }),
    ],
    [
      'another issuer',
      'LOGOUT_TOKEN_SIGNATURE_OR_CLAIMS',
      () => issuer.logoutToken({ sub: 'eve', iss: 'https://evil.example' }),
    ],
    [
      'an old token',
      'LOGOUT_TOKEN_SIGNATURE_OR_CLAIMS',
      () => issuer.logoutToken({ sub: 'eve', iat: Math.floor(Date.now() / 1_000) - 3_600 }),
    ],
    ['no id', 'LOGOUT_TOKEN_SIGNATURE_OR_CLAIMS', () => issuer.logoutToken({ sub: 'eve', jti: undefined })],
    [
      'another kind of token',
      'LOGOUT_TOKEN_TYPE',
      () => issuer.logoutToken({ sub: 'eve' }, { typ: 'at+jwt' }),
    ],
    [
      'a token signed by somebody else',
      'LOGOUT_TOKEN_SIGNATURE_OR_CLAIMS',
      async () => resigned(await issuer.logoutToken({ sub: 'eve' })),
    ],
    [
      'an unsigned token',
      'LOGOUT_TOKEN_SIGNATURE_OR_CLAIMS',
      async () => `${b64({ alg: 'none' })}.${(await issuer.logoutToken({ sub: 'eve' })).split('.')[1]}.`,
    ],
  ])('is not believed with %s', async (_name, reason, make) => {
    const eve = await signedIn('eve', 's9');
    const page = await send(await make());
    expect([page.status, (page.body as { code: string }).code]).toEqual([400, 'LOGOUT_TOKEN_INVALID']);
    expect((await lastEvent(acme, 'sso.ended'))?.reason).toBe(reason);
    expect((await eve.get('/v1/me')).status).toBe(200);
  });

  it('is told where to end its own session, when somebody signs out here', async () => {
    const session = await signedIn('fay', 's4');
    const { redirectTo } = await must(session.post<{ redirectTo: string }>('/v1/sso/logout'), 200);
    const url = new URL(redirectTo);
    expect(`${url.origin}${url.pathname}`).toBe(`${issuer.url}/end`);
    expect(url.searchParams.get('post_logout_redirect_uri')).toBe(`${app.baseUrl}/`);
    await dead(session);
  });
});

describe('somebody without a password who proves themselves again', () => {
  const seconds = (): number => Math.floor(Date.now() / 1_000);

  it('does so at the provider, anew, as the same person; then the session may do what asks for it', async () => {
    const one = await activeConnection(owner, {
      type: 'oidc',
      oidc: { issuer: issuer.url, clientId: CLIENT.id, clientSecret: CLIENT.secret },
      provisioning: true,
      roles: { rules: [], defaultRole: 'Admin', everySignIn: false },
    });
    const json = { accept: 'application/json' };
    const ivy = ann({ sub: 'ivy', email: `ivy@${domain}` });
    issuer.claims = ivy;
    const browser = new Browser();
    const begun = await browser.get(ssoUrl(app, acme, one, 'start'), json);
    const page = await browser.get(
      issuer.approve((begun.body as { authorizationUrl: string }).authorizationUrl),
      json,
    );
    const session = client(app.baseUrl, (page.body as TokensDto).accessToken);
    const change = () => session.post('/v1/domains', { name: `ivy.${domain}` });
    expect(await refusal(change())).toEqual({ status: 403, code: 'STEP_UP_REQUIRED' });

    const proveAgain = async (claims: JWTPayload): Promise<Page> => {
      const asked = await session.post<{ authorizationUrl: string }>('/v1/sso/step-up', {
        returnTo: '/keys',
      });
      expect(asked.status).toBe(200);
      const { parameters } = issuer.read(asked.body.authorizationUrl);
      expect([parameters.get('prompt'), parameters.get('max_age')]).toEqual(['login', '0']);
      const cookie = (asked.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
      issuer.claims = claims;
      return new Browser().get(issuer.approve(asked.body.authorizationUrl), { cookie });
    };
    for (const [claims, reason] of [
      [{ ...ivy, auth_time: seconds() - 900 }, 'SSO_NOT_ANEW'],
      [ivy, 'SSO_NOT_ANEW'],
      [ann({ sub: 'jon', email: `jon@${domain}`, auth_time: seconds() }), 'SSO_OTHER_PERSON'],
    ] as const) {
      expect((await proveAgain(claims)).body).toMatchObject({ code: 'SSO_FAILED' });
      expect(await lastEvent(acme, 'session.stepped_up')).toMatchObject({ outcome: 'denied', reason });
      expect(await refusal(change())).toEqual({ status: 403, code: 'STEP_UP_REQUIRED' });
    }
    const proved = await proveAgain({ ...ivy, auth_time: seconds() });
    expect([proved.status, proved.location]).toEqual([302, `${app.baseUrl}/keys`]);
    expect(proved.headers.getSetCookie().join()).not.toContain('waxell_session');
    expect((await lastEvent(acme, 'session.stepped_up'))?.changes).toMatchObject({ method: 'oidc' });
    expect((await change()).status).toBe(201);
    // Of a session of a password no provider knows.
    expect(await refusal(owner.post('/v1/sso/step-up', {}))).toEqual({
      status: 403,
      code: 'STEP_UP_NEEDS_SESSION',
    });
  });
});

describe('somebody whose provider never says that it has just asked', () => {
  const json = { accept: 'application/json' };
  const signedIn = async (sub: string): Promise<Client> => {
    issuer.claims = ann({ sub, email: `${sub}@${domain}` });
    const browser = new Browser();
    const begun = await browser.get(ssoUrl(app, acme, connection, 'start'), json);
    const { authorizationUrl } = begun.body as { authorizationUrl: string };
    const page = await browser.get(issuer.approve(authorizationUrl), json);
    return client(app.baseUrl, (page.body as TokensDto).accessToken);
  };
  /** As if so much had happened ten minutes earlier. */
  const earlier = async (session: Client, column: 'created_at' | 'stepped_up_at'): Promise<void> => {
    const { items } = await must(session.get<SessionsDto>('/v1/auth/sessions'), 200);
    const id = items.find(({ current }) => current)?.id;
    await asSuperuser(app.home, 'us-east-1', (database) =>
      database.query(
        `UPDATE "${acme.id}".sessions SET ${column} = ${column} - interval '10 minutes' WHERE id = $1`,
        [id],
      ),
    );
  };
  const begin = (session: Client) => session.post<BegunTotpDto>('/v1/me/second-factors/totp', {});
  const REQUIRED = { status: 403, code: 'STEP_UP_REQUIRED' };

  it('sets a first factor up by a sign-in that is minutes old, and proves that one from then on', async () => {
    const session = await signedIn('max');
    // For nothing else does the sign-in do.
    expect(await refusal(session.post('/v1/me/recovery-codes'))).toEqual(REQUIRED);
    const { id, secret } = await must(begin(session), 201);
    const path = `/v1/me/second-factors/totp/${id}/confirm`;
    await must(session.post(path, { code: await codeBefore(secret) }), 200);
    await earlier(session, 'stepped_up_at');
    expect(await refusal(begin(session))).toEqual(REQUIRED);
    await must(session.post('/v1/auth/step-up', { totp: codeNow(secret) }), 200);
    expect((await session.post('/v1/me/recovery-codes')).status).toBe(201);
  });

  it('sets none up by one that is older, nor by a password, which is to be proved again', async () => {
    const old = await signedIn('ned');
    await earlier(old, 'created_at');
    expect(await refusal(begin(old))).toEqual(REQUIRED);
    const person = await createPerson(acme.api, 'Viewer');
    const { accessToken } = await signIn(app, acme.slug, person);
    expect(await refusal(begin(client(app.baseUrl, accessToken)))).toEqual(REQUIRED);
  });
});

describe('with a certified provider (oidc-provider)', () => {
  let peer: OidcPeer;
  beforeEach(async () => {
    peer = await startOidcPeer();
  });
  afterEach(() => peer.close());

  /** A connection that each knows of the other. */
  async function connected(more: object = {}, oidc: object = {}): Promise<(what: string) => string> {
    const secret = 'the secret of the peer, long enough';
    const made = owner.post<ConnectionDto>('/v1/sso/connections', {
      name: 'peer',
      type: 'oidc',
      oidc: { issuer: peer.issuer, clientId: 'peer', clientSecret: secret, ...oidc },
      provisioning: true,
      ...more,
    });
    const { id } = await must(made, 201);
    const at = (what: string): string => ssoUrl(app, acme, { id }, what);
    await peer.register({
      id: 'peer',
      secret,
      redirectUri: at('callback'),
      signOutUri: `${app.baseUrl}/`,
      backChannelLogoutUri: at('backchannel-logout'),
    });
    await must(owner.patch(`/v1/sso/connections/${id}`, { state: 'active' }), 200);
    return at;
  }

  const comeBy = (at: (what: string) => string): Promise<Page> =>
    new Browser().follow(`${at('start')}?returnTo=/agents`, (url) => !url.endsWith('/agents'));

  it('a key that it replaces between two sign-ins is known at the second, and the former one is refused', async () => {
    const at = await connected();
    peer.account = { sub: 'kim', claims: { email: `kim@${domain}`, email_verified: true, name: 'Kim' } };
    const [former, next] = [await newPeerKey(), await newPeerKey()];
    await peer.signWith(former);
    expect((await comeBy(at)).status).toBe(302);
    await peer.signWith(next);
    expect((await comeBy(at)).status).toBe(302);
    await peer.signWith(former, next);
    expect(await refusedWith(await comeBy(at))).toBe('OIDC_RESPONSE_INVALID');
    expect(peer.errors).toEqual([]);
  });

  it('groups that it says at the userinfo endpoint alone give the role of their rule', async () => {
    // The rest is in the ID token already: for nothing but the groups would anybody be asked.
    const at = await connected(
      { mapping: { email: 'sub', name: 'sub', groups: 'groups' }, roles: ROLES },
      { scopes: ['email', 'profile', 'groups'], trustsEmail: true },
    );
    peer.account = { sub: `lee@${domain}`, claims: { groups: ['builders'] } };
    for (const account of ['added', 'known']) {
      expect((await comeBy(at)).status).toBe(302);
      const { changes } = (await lastEvent(acme, 'session.created')) ?? {};
      expect(changes).toMatchObject({ account, role: 'Developer' });
    }
  });

  it('a person signs in, is signed out by the provider within a second, and the other way round', async () => {
    const at = await connected();
    peer.account = {
      sub: 'hal',
      claims: { email: `hal@${domain}`, email_verified: true, name: 'Hal' },
    };
    const browser = new Browser();
    const page = await browser.follow(`${at('start')}?returnTo=/agents`, (url) => !url.endsWith('/agents'));
    expect({ status: page.status, location: page.location, errors: peer.errors }).toEqual({
      status: 302,
      location: `${app.baseUrl}/agents`,
      errors: [],
    });
    const cookie = browser.cookies(app.baseUrl);
    const session = client(app.baseUrl, undefined, { cookie, 'user-agent': 'node' });
    const me = await must(session.get<MeDto>('/v1/me'), 200);
    expect(me.user).toMatchObject({ email: `hal@${domain}`, displayName: 'Hal', role: 'Viewer' });
    // At the provider, where the browser is signed in: it tells us by the back channel.
    const form = await browser.get(`${peer.issuer}/session/end`);
    const xsrf = /name="xsrf" value="([^"]+)"/.exec(String(form.body))?.[1] ?? '';
    await browser.post(`${peer.issuer}/session/end/confirm`, { xsrf, logout: 'yes' });
    await eventually(async () => expect((await session.get('/v1/me')).status).toBe(401), 1_000);
    expect({ errors: peer.errors, event: await lastEvent(acme, 'sso.ended') }).toMatchObject({
      errors: [],
      event: { outcome: 'success', changes: { sessions: 1 } },
    });
    // And again, to sign out here: the provider takes the way back that it is told.
    const again = new Browser();
    await again.follow(at('start'), (url) => url !== `${app.baseUrl}/`);
    const second = client(app.baseUrl, undefined, {
      cookie: again.cookies(app.baseUrl),
      'user-agent': 'node',
    });
    const { redirectTo } = await must(
      second.post<{ redirectTo: string }>('/v1/sso/logout', undefined, { 'sec-fetch-site': 'same-origin' }),
      200,
    );
    const asked = await again.get(redirectTo);
    expect({ status: asked.status, errors: peer.errors }).toEqual({ status: 200, errors: [] });
  });
});

describe('a connection that is switched off', () => {
  it('lets nobody in, and ends the sessions that came of it', async () => {
    const one = await activeConnection(owner, {
      type: 'oidc',
      oidc: { issuer: issuer.url, clientId: CLIENT.id, clientSecret: CLIENT.secret },
      provisioning: true,
    });
    issuer.claims = ann({ sub: 'gus', email: `gus@${domain}` });
    const browser = new Browser();
    const json = { accept: 'application/json' };
    const begun = await browser.get(ssoUrl(app, acme, one, 'start'), json);
    const page = await browser.get(
      issuer.approve((begun.body as { authorizationUrl: string }).authorizationUrl),
      json,
    );
    const session = client(app.baseUrl, (page.body as TokensDto).accessToken);
    const { location } = await start(browser, one);
    await must(owner.patch(`/v1/sso/connections/${one.id}`, { state: 'disabled' }), 200);
    await eventually(async () => expect((await session.get('/v1/me')).status).toBe(401), 1_000);
    expect((await start(new Browser(), one)).status).toBe(404);
    expect((await browser.get(issuer.approve(location ?? ''))).status).toBe(404);
  });
});

const b64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

async function resigned(token: string): Promise<string> {
  const other = await OidcIssuer.start();
  const [header = '', payload = ''] = token.split('.');
  const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string };
  const signed = await other.sign(JSON.parse(Buffer.from(payload, 'base64url').toString()) as JWTPayload, {
    kid,
  });
  await other.close();
  return signed;
}

function hmac(token: string): Promise<string> {
  const payload = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as JWTPayload;
  return new SignJWT(payload)
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(CLIENT.secret));
}

function changed(token: string): string {
  const [header, payload = '', signature] = token.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as JWTPayload;
  return [header, b64({ ...claims, sub: 'owner' }), signature].join('.');
}
