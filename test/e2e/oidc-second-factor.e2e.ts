import type { JWTPayload } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { TokensDto } from '../../src/auth/auth.dto.js';
import type { SessionsDto } from '../../src/auth/sessions.dto.js';
import type { SecondFactorDueDto } from '../../src/mfa/mfa.dto.js';
import { Browser, type Page } from '../support/browser.js';
import { client, must, refusal } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { OidcSignIns } from '../support/oidc-sign-ins.js';
import { proveFactor, withTotp, type WithTotp } from '../support/second-factors.js';
import { sharedSite } from '../support/shared-application.js';
import { codeNow } from '../support/totp.js';

const app = sharedSite();
let sso: OidcSignIns;
beforeAll(async () => {
  sso = await OidcSignIns.begin();
});
afterAll(() => sso.end());
afterEach(() => sso.issuer.honest());

describe('somebody who has a second factor here', () => {
  let totp: WithTotp;
  let claims: JWTPayload;

  beforeAll(async () => {
    totp = await withTotp(app, sso.tenant, await sso.person('two', 'Viewer'));
    claims = sso.somebody('two');
  });
  const trust = async (secondFactor: string): Promise<void> => {
    await must(sso.owner.patch(sso.path, { oidc: { secondFactor } }), 200);
  };
  /** A program's sign-in, with what the provider says of it. */
  const signIn = (said: JWTPayload = {}): Promise<Page> => sso.program({ ...claims, ...said });

  it('proves it after the provider’s sign-in, which is no session before', async () => {
    const page = await signIn();
    expect(page.status).toBe(202);
    expect(page.headers.getSetCookie().join()).not.toContain('waxell_session');
    const { challenge, methods } = page.body as SecondFactorDueDto;
    expect(methods).toEqual(['totp', 'recovery_code']);
    expect(await sso.lastEvent('second_factor.asked')).toMatchObject({ changes: { method: 'oidc' } });
    const anyone = client(app.baseUrl);
    const described = anyone.post<SecondFactorDueDto>('/v1/auth/second-factor/options', { challenge });
    expect((await must(described, 200)).methods).toEqual(methods);
    const { accessToken } = await must(proveFactor(app, challenge, { totp: codeNow(totp.secret) }, {}), 200);
    const session = client(app.baseUrl, accessToken);
    const { items } = await must(session.get<SessionsDto>('/v1/auth/sessions'), 200);
    expect(items[0]).toMatchObject({ method: 'oidc', current: true });
    // The provider ends it as if it had been opened at once.
    const sub = String(claims.sub);
    const ended = await fetch(sso.url('backchannel-logout'), {
      method: 'POST',
      body: new URLSearchParams({ logout_token: await sso.issuer.logoutToken({ sub }) }),
    });
    expect(ended.status).toBe(200);
    await eventually(async () => expect((await session.get('/v1/me')).status).toBe(401), 1_000);
    const gone = anyone.post('/v1/auth/second-factor/options', { challenge });
    expect(await refusal(gone)).toEqual({ status: 401, code: 'CHALLENGE_INVALID' });
  });

  it('comes in no more once the connection is switched off, between the two', async () => {
    const { challenge } = (await signIn()).body as SecondFactorDueDto;
    const set = (state: string) => sso.owner.patch(sso.path, { state });
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
      const body = new URLSearchParams({ logout_token: await sso.issuer.logoutToken(named) });
      const url = sso.url('backchannel-logout');
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
      expect((await sso.lastEvent('sso.ended'))?.changes).toMatchObject({ signIns: 1 });
      const late = proveFactor(app, challenge, { recoveryCode }, {});
      expect(await refusal(late)).toEqual({ status: 401, code: 'CHALLENGE_INVALID' });
    }
    const anew = (await signIn({ sid: 'here' })).body as SecondFactorDueDto;
    expect((await proveFactor(app, anew.challenge, { recoveryCode }, {})).status).toBe(200);
  });

  it('comes to a page for it as a browser, with the challenge where no server sees it', async () => {
    const page = await sso.attempt(claims);
    expect(page.status).toBe(302);
    const to = new URL(page.location ?? '');
    expect(to.origin + to.pathname + to.search).toBe(`${app.baseUrl}/second-factor`);
    const behind = new URLSearchParams(to.hash.slice(1));
    expect(behind.get('challenge')).toMatch(/^wxm_[0-9a-f]{16}_[\w-]{43}$/);
    expect(behind.get('returnTo')).toBe('/agents');
  });

  it('is asked for none where the provider says that it has asked, as far as the connection believes it', async () => {
    expect((await signIn({ amr: ['pwd', 'mfa'] })).status).toBe(200);
    expect((await sso.lastEvent('session.created'))?.changes).toMatchObject({ secondFactor: 'provider' });
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
      sso.issuer.claims = { ...claims, auth_time: Math.floor(Date.now() / 1_000), ...said };
      return new Browser().get(sso.issuer.approve(asked.body.authorizationUrl), { cookie });
    };
    expect((await proveAgain({})).status).toBe(401);
    const refused = await sso.lastEvent('session.stepped_up');
    expect(refused).toMatchObject({ outcome: 'denied', reason: 'SSO_SECOND_FACTOR' });
    expect((await session.post('/v1/me/recovery-codes')).status).toBe(403);
    expect((await proveAgain({ amr: ['mfa'] })).status).toBe(302);
    expect((await session.post('/v1/me/recovery-codes')).status).toBe(201);
  });
});
