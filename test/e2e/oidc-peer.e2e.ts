import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { MeDto } from '../../src/auth/auth.dto.js';
import type { ConnectionDto } from '../../src/federation/connections.dto.js';
import { newPeerKey, startOidcPeer, type OidcPeer } from '../fakes/oidc-provider-peer.js';
import { Browser, type Page } from '../support/browser.js';
import { client, must } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { OidcSignIns, ROLES } from '../support/oidc-sign-ins.js';
import { sharedSite } from '../support/shared-application.js';

const app = sharedSite();
let sso: OidcSignIns;
beforeAll(async () => {
  sso = await OidcSignIns.begin();
});
afterAll(() => sso.end());
afterEach(() => sso.issuer.honest());

describe('with a certified provider (oidc-provider)', () => {
  let peer: OidcPeer;
  beforeEach(async () => {
    peer = await startOidcPeer();
  });
  afterEach(() => peer.close());

  /** A connection that each knows of the other. */
  async function connected(more: object = {}, oidc: object = {}): Promise<(what: string) => string> {
    const secret = 'the secret of the peer, long enough';
    const made = sso.owner.post<ConnectionDto>('/v1/sso/connections', {
      name: 'peer',
      type: 'oidc',
      oidc: { issuer: peer.issuer, clientId: 'peer', clientSecret: secret, ...oidc },
      provisioning: true,
      ...more,
    });
    const { id } = await must(made, 201);
    const at = (what: string): string => sso.url(what, { id });
    await peer.register({
      id: 'peer',
      secret,
      redirectUri: at('callback'),
      signOutUri: `${app.baseUrl}/`,
      backChannelLogoutUri: at('backchannel-logout'),
    });
    await must(sso.owner.patch(`/v1/sso/connections/${id}`, { state: 'active' }), 200);
    return at;
  }

  const comeBy = (at: (what: string) => string): Promise<Page> =>
    new Browser().follow(`${at('start')}?returnTo=/agents`, (url) => !url.endsWith('/agents'));

  it('a key that it replaces between two sign-ins is known at the second, and the former one is refused', async () => {
    const at = await connected();
    peer.account = { sub: 'kim', claims: { email: sso.address('kim'), email_verified: true, name: 'Kim' } };
    const [former, next] = [await newPeerKey(), await newPeerKey()];
    await peer.signWith(former);
    expect((await comeBy(at)).status).toBe(302);
    await peer.signWith(next);
    expect((await comeBy(at)).status).toBe(302);
    await peer.signWith(former, next);
    expect(await sso.refusedWith(await comeBy(at))).toBe('OIDC_RESPONSE_INVALID');
    expect(peer.errors).toEqual([]);
  });

  it('groups that it says at the userinfo endpoint alone give the role of their rule', async () => {
    // The rest is in the ID token already: for nothing but the groups would anybody be asked.
    const at = await connected(
      { mapping: { email: 'sub', name: 'sub', groups: 'groups' }, roles: ROLES },
      { scopes: ['email', 'profile', 'groups'], trustsEmail: true },
    );
    peer.account = { sub: sso.address('lee'), claims: { groups: ['builders'] } };
    for (const account of ['added', 'known']) {
      expect((await comeBy(at)).status).toBe(302);
      const { changes } = (await sso.lastEvent('session.created')) ?? {};
      expect(changes).toMatchObject({ account, role: 'Developer' });
    }
  });

  it('a person signs in, is signed out by the provider within a second, and the other way round', async () => {
    const at = await connected();
    peer.account = {
      sub: 'hal',
      claims: { email: sso.address('hal'), email_verified: true, name: 'Hal' },
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
    expect(me.user).toMatchObject({ email: sso.address('hal'), displayName: 'Hal', role: 'Viewer' });
    // At the provider, where the browser is signed in: it tells us by the back channel.
    const form = await browser.get(`${peer.issuer}/session/end`);
    const xsrf = /name="xsrf" value="([^"]+)"/.exec(String(form.body))?.[1] ?? '';
    await browser.post(`${peer.issuer}/session/end/confirm`, { xsrf, logout: 'yes' });
    await eventually(async () => expect((await session.get('/v1/me')).status).toBe(401), 1_000);
    expect({ errors: peer.errors, event: await sso.lastEvent('sso.ended') }).toMatchObject({
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
