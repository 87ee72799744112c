import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CLIENT } from '../fakes/oidc-issuer.js';
import { Browser, type Page } from '../support/browser.js';
import { must, type Client } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { resigned, unsigned } from '../support/forged-jwts.js';
import { OidcSignIns } from '../support/oidc-sign-ins.js';
import { sharedSite } from '../support/shared-application.js';

const app = sharedSite();
let sso: OidcSignIns;
beforeAll(async () => {
  sso = await OidcSignIns.begin();
});
afterAll(() => sso.end());
afterEach(() => sso.issuer.honest());

describe('a provider that ends a session', () => {
  const url = (): string => sso.url('backchannel-logout');
  const send = (token: string): Promise<Page> => new Browser().post(url(), { logout_token: token });

  const signedIn = (sub: string, sid: string): Promise<Client> => sso.session(sso.somebody(sub, { sid }));

  const dead = (session: Client): Promise<void> =>
    eventually(async () => expect((await session.get('/v1/me')).status).toBe(401), 1_000);

  it('ends it here within a second, by subject or by session, and nobody else’s', async () => {
    const [first, second, other] = [
      await signedIn('dan', 's1'),
      await signedIn('dan', 's2'),
      await signedIn('eve', 's3'),
    ];
    expect((await send(await sso.issuer.logoutToken({ sid: 's1' }))).status).toBe(200);
    await dead(first);
    expect((await second.get('/v1/me')).status).toBe(200);
    expect((await send(await sso.issuer.logoutToken({ sub: 'dan' }))).status).toBe(200);
    await dead(second);
    expect((await other.get('/v1/me')).status).toBe(200);
    expect(await sso.lastEvent('sso.ended')).toMatchObject({
      outcome: 'success',
      changes: { sessions: 1 },
    });
  });

  it('is believed once', async () => {
    const token = await sso.issuer.logoutToken({ sub: 'dan' });
    expect((await send(token)).status).toBe(200);
    expect((await send(token)).status).toBe(400);
    expect((await sso.lastEvent('sso.ended'))?.reason).toBe('LOGOUT_REPLAYED');
  });

  it.each<[string, string, () => Promise<string>]>([
    [
      'an ID token',
      'LOGOUT_TOKEN_SIGNATURE_OR_CLAIMS',
      () =>
        sso.issuer.sign({
          iss: sso.issuer.url,
          aud: CLIENT.id,
          sub: 'eve',
          nonce: 'n',
          iat: Math.floor(Date.now() / 1_000),
          exp: 2_000_000_000,
        }),
    ],
    ['a token with a nonce', 'LOGOUT_TOKEN_NONCE', () => sso.issuer.logoutToken({ sub: 'eve', nonce: 'n' })],
    [
      'another event',
      'LOGOUT_TOKEN_EVENT',
      () => sso.issuer.logoutToken({ sub: 'eve', events: { another: {} } }),
    ],
    ['nobody', 'LOGOUT_TOKEN_NOBODY', () => sso.issuer.logoutToken({})],
    [
      'another audience',
      'LOGOUT_TOKEN_SIGNATURE_OR_CLAIMS',
      () => sso.issuer.logoutToken({ sub: 'eve', aud: 'another' }),
    ],
    [
      'another issuer',
      'LOGOUT_TOKEN_SIGNATURE_OR_CLAIMS',
      () => sso.issuer.logoutToken({ sub: 'eve', iss: 'https://evil.example' }),
    ],
    [
      'an old token',
      'LOGOUT_TOKEN_SIGNATURE_OR_CLAIMS',
      () => sso.issuer.logoutToken({ sub: 'eve', iat: Math.floor(Date.now() / 1_000) - 3_600 }),
    ],
    [
      'no id',
      'LOGOUT_TOKEN_SIGNATURE_OR_CLAIMS',
      () => sso.issuer.logoutToken({ sub: 'eve', jti: undefined }),
    ],
    [
      'another kind of token',
      'LOGOUT_TOKEN_TYPE',
      () => sso.issuer.logoutToken({ sub: 'eve' }, { typ: 'at+jwt' }),
    ],
    [
      'a token signed by somebody else',
      'LOGOUT_TOKEN_SIGNATURE_OR_CLAIMS',
      async () => resigned(await sso.issuer.logoutToken({ sub: 'eve' })),
    ],
    [
      'an unsigned token',
      'LOGOUT_TOKEN_SIGNATURE_OR_CLAIMS',
      async () => unsigned(await sso.issuer.logoutToken({ sub: 'eve' })),
    ],
  ])('is not believed with %s', async (_name, reason, make) => {
    const eve = await signedIn('eve', 's9');
    const page = await send(await make());
    expect([page.status, (page.body as { code: string }).code]).toEqual([400, 'LOGOUT_TOKEN_INVALID']);
    expect((await sso.lastEvent('sso.ended'))?.reason).toBe(reason);
    expect((await eve.get('/v1/me')).status).toBe(200);
  });

  it('is told where to end its own session, when somebody signs out here', async () => {
    const session = await signedIn('fay', 's4');
    const { redirectTo } = await must(session.post<{ redirectTo: string }>('/v1/sso/logout'), 200);
    const url = new URL(redirectTo);
    expect(`${url.origin}${url.pathname}`).toBe(`${sso.issuer.url}/end`);
    expect(url.searchParams.get('post_logout_redirect_uri')).toBe(`${app.baseUrl}/`);
    await dead(session);
  });
});
