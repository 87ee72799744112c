import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { MeDto } from '../../src/auth/auth.dto.js';
import { CLIENT } from '../fakes/oidc-issuer.js';
import { Browser } from '../support/browser.js';
import { client, must, refusal } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { OidcSignIns } from '../support/oidc-sign-ins.js';
import { sharedNames, sharedSite } from '../support/shared-application.js';
import { steppedUp, verifiedDomain } from '../support/single-sign-on.js';
import { createTenant } from '../support/tenants.js';

const app = sharedSite();
let sso: OidcSignIns;
beforeAll(async () => {
  sso = await OidcSignIns.begin();
});
afterAll(() => sso.end());
afterEach(() => sso.issuer.honest());

describe('a sign-in through an OpenID Connect provider', () => {
  it('begins with everything that the standard has against mix-ups', async () => {
    const page = await sso.start(new Browser());
    expect(page.status).toBe(302);
    const { parameters, redirectUri } = sso.issuer.read(page.location ?? '');
    expect(redirectUri).toBe(sso.url('callback'));
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
    const page = await sso.attempt(sso.ann({ groups: ['builders'] }), sso.connection, browser);
    expect([page.status, page.location]).toEqual([302, `${app.baseUrl}/agents`]);
    const session = client(app.baseUrl, undefined, {
      cookie: browser.cookies(app.baseUrl),
      accept: 'text/html',
      'user-agent': 'node',
    });
    const me = await must(session.get<MeDto>('/v1/me'), 200);
    expect(me.user).toMatchObject({ email: sso.address('ann'), displayName: 'Ann', role: 'Developer' });
    expect(me.tenant.id).toBe(sso.tenant.id);
    expect(await sso.lastEvent('session.created')).toMatchObject({
      outcome: 'success',
      changes: { method: 'oidc', account: 'added', role: 'Developer' },
    });
  });

  it('knows the person by the subject from then on, whatever the address has become', async () => {
    const page = await sso.attempt({ sub: 'ann', email: 'somebody@else.example', email_verified: false });
    expect(page.status).toBe(302);
    const event = await sso.lastEvent('session.created');
    expect(event?.changes).toMatchObject({ account: 'known', role: 'Viewer' });
  });

  it('links to an account with the same address, where both the provider and the DNS vouch for it', async () => {
    const body = { email: sso.address('bob'), password: 'correct horse battery staple 1', role: 'Developer' };
    const bob = await must(sso.tenant.api.post<{ id: string }>('/v1/users', body), 201);
    const page = await sso.attempt(sso.ann({ sub: 'bob', email: sso.address('Bob') }));
    expect(page.status).toBe(302);
    expect((await sso.lastEvent('session.created'))?.changes).toMatchObject({
      account: 'linked',
      user: bob.id,
    });
  });

  it('gives a program the tokens in the body, when it asks for JSON', async () => {
    expect((await (await sso.session(sso.ann())).get('/v1/me')).status).toBe(200);
  });

  it('works by the organisation’s name as well, and with a key that replaced another a moment ago', async () => {
    expect((await sso.attempt(sso.ann())).status).toBe(302);
    await sso.issuer.rollOver('ES256');
    const browser = new Browser();
    sso.issuer.claims = sso.ann();
    const page = await browser.get(`${app.baseUrl}/v1/sso/${sso.tenant.slug}/${sso.connection.id}/start`);
    expect((await browser.get(sso.issuer.approve(page.location ?? ''))).status).toBe(302);
    await sso.issuer.rollOver('RS256');
    expect((await sso.attempt(sso.ann())).status).toBe(302);
  });

  it('asks where the groups are, where they do not fit into the token, and refuses who has them unread', async () => {
    sso.issuer.groups = { status: 200, value: ['staff', 'builders'] };
    const overage = {
      _claim_names: { groups: 'src1' },
      _claim_sources: { src1: { endpoint: `${sso.issuer.url}/groups` } },
    };
    expect((await sso.attempt(sso.ann(overage))).status).toBe(302);
    expect((await sso.lastEvent('session.created'))?.changes).toMatchObject({ role: 'Developer' });
    expect(sso.issuer.asked.find(({ path }) => path === '/groups')?.authorization).toBe('Bearer access');
    sso.issuer.groups = { status: 403, value: undefined };
    expect(await sso.refusedWith(await sso.attempt(sso.ann(overage)))).toBe('OIDC_GROUPS_UNAVAILABLE');
    const elsewhere = { ...overage, _claim_sources: { src1: { endpoint: 'http://127.0.0.1:9/groups' } } };
    expect(await sso.refusedWith(await sso.attempt(sso.ann(elsewhere)))).toBe('OIDC_GROUPS_UNAVAILABLE');
  });
});

describe('somebody who says their address', () => {
  const discover = async (at: string): Promise<unknown> =>
    must(client(app.baseUrl).post('/v1/auth/discover', { email: `x@${at}` }), 200);

  it('is sent to the connection that names their domain, else to the oldest that names none', async () => {
    const second = await verifiedDomain(sso.owner, sharedNames());
    const named = await sso.connect(sso.owner, { domains: [second.name.toUpperCase()] });
    expect(named.domains).toEqual([second.name]);
    const to = (one: { id: string }) => ({ method: 'sso', startUrl: sso.url('start', one) });
    expect(await discover(second.name)).toEqual(to(named));
    expect(await discover(sso.domain)).toEqual(to(sso.connection));
    // Domains of others cannot be named, nor such as are not verified.
    const theirs = await verifiedDomain(await steppedUp(app, await createTenant(app)), sharedNames());
    for (const wrong of [theirs.name, `x.${sso.domain}`, 'no domain'])
      expect(await refusal(sso.owner.patch(`/v1/sso/connections/${named.id}`, { domains: [wrong] }))).toEqual(
        {
          status: 422,
          code: 'DOMAIN_NOT_VERIFIED',
        },
      );
    expect(await discover(theirs.name)).toEqual({ method: 'password' });
    await must(sso.owner.patch(`/v1/sso/connections/${named.id}`, { domains: [] }), 200);
    expect(await discover(second.name)).toEqual(to(sso.connection));
    await must(sso.owner.delete(`/v1/sso/connections/${named.id}`), 204);
  });
});

describe('claims that a rule looks at', () => {
  it('are asked for at the userinfo endpoint where the ID token has none, so that nobody loses a role by it', async () => {
    sso.issuer.userInfo = { groups: ['builders'] };
    expect((await sso.attempt(sso.ann())).status).toBe(302);
    expect((await sso.lastEvent('session.created'))?.changes).toMatchObject({ role: 'Developer' });
    // What the ID token says itself counts, and nobody is asked.
    const before = sso.issuer.asked.length;
    expect((await sso.attempt(sso.ann({ groups: ['others'] }))).status).toBe(302);
    expect((await sso.lastEvent('session.created'))?.changes).toMatchObject({ role: 'Viewer' });
    expect(sso.issuer.asked.slice(before).map(({ path }) => path)).not.toContain('/userinfo');
  });
});

describe('a connection that is switched off', () => {
  it('lets nobody in, and ends the sessions that came of it', async () => {
    const one = await sso.connect(sso.owner, { provisioning: true });
    const browser = new Browser();
    const session = await sso.session(sso.somebody('gus'), one);
    const { location } = await sso.start(browser, one);
    await must(sso.owner.patch(`/v1/sso/connections/${one.id}`, { state: 'disabled' }), 200);
    await eventually(async () => expect((await session.get('/v1/me')).status).toBe(401), 1_000);
    expect((await sso.start(new Browser(), one)).status).toBe(404);
    expect((await browser.get(sso.issuer.approve(location ?? ''))).status).toBe(404);
  });
});
