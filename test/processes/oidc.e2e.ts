import { SignJWT, type JWTPayload } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { MeDto, TokensDto } from '../../src/auth/auth.dto.js';
import type { SessionsDto } from '../../src/auth/sessions.dto.js';
import type { ConnectionDto } from '../../src/federation/connections.dto.js';
import type { SecondFactorDueDto } from '../../src/mfa/mfa.dto.js';
import { CLIENT, OidcIssuer } from '../fakes/oidc-issuer.js';
import { startOidcPeer } from '../fakes/oidc-provider-peer.js';
import { startFakeNameServer, type FakeNameServer } from '../fakes/name-server.js';
import { grant, makeRole } from '../support/access.js';
import { startApplication, type Application } from '../support/application.js';
import { Browser, type Page } from '../support/browser.js';
import { client, must, refusal, type Client } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { proveFactor, withTotp, type WithTotp } from '../support/second-factors.js';
import { activeConnection, lastEvent, ssoUrl, steppedUp, verifiedDomain } from '../support/single-sign-on.js';
import { createPerson, createTenant, type TestTenant } from '../support/tenants.js';
import { codeNow } from '../support/totp.js';

let app: Application;
let names: FakeNameServer;
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
    roles: {
      rules: [{ claim: 'groups', value: 'builders', role: 'Developer' }],
      defaultRole: 'Viewer',
      everySignIn: true,
    },
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
    expect(after.lastError).toMatch(/^SSO_PROVIDER_ERROR: /);
    expect((await attempt(ann())).status).toBe(302);
    const healed = await must(acme.api.get<ConnectionDto>(`/v1/sso/connections/${connection.id}`), 200);
    expect(healed.lastError).toBeUndefined();
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
    const roles = {
      rules: [{ claim: 'groups', value: 'a', role: 'Owner' as const }],
      defaultRole: 'Viewer' as const,
      everySignIn: false,
    };
    expect(await refusal(session.patch(`/v1/sso/connections/${own.id}`, { roles }))).toEqual({
      status: 403,
      code: 'GRANT_EXCEEDS_OWN',
    });
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

describe('with a certified provider (oidc-provider)', () => {
  it('a person signs in, is signed out by the provider within a second, and the other way round', async () => {
    const peer = await startOidcPeer();
    const one = await must(
      owner.post<ConnectionDto>('/v1/sso/connections', {
        name: 'peer',
        type: 'oidc',
        oidc: { issuer: peer.issuer, clientId: 'peer', clientSecret: 'the secret of the peer, long enough' },
        provisioning: true,
      }),
      201,
    );
    const at = (what: string): string => ssoUrl(app, acme, one, what);
    await peer.register({
      id: 'peer',
      secret: 'the secret of the peer, long enough',
      redirectUri: at('callback'),
      signOutUri: `${app.baseUrl}/`,
      backChannelLogoutUri: at('backchannel-logout'),
    });
    await must(owner.patch(`/v1/sso/connections/${one.id}`, { state: 'active' }), 200);
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
    await peer.close();
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
