import type { JWTPayload } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { SessionsDto } from '../../src/auth/sessions.dto.js';
import type { BegunTotpDto } from '../../src/mfa/mfa.dto.js';
import { Browser, type Page } from '../support/browser.js';
import { client, must, refusal, type Client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { OidcSignIns } from '../support/oidc-sign-ins.js';
import { sharedSite } from '../support/shared-application.js';
import { createPerson, signIn } from '../support/tenants.js';
import { codeBefore, codeNow } from '../support/totp.js';

const app = sharedSite();
let sso: OidcSignIns;
beforeAll(async () => {
  sso = await OidcSignIns.begin();
});
afterAll(() => sso.end());
afterEach(() => sso.issuer.honest());

describe('somebody without a password who proves themselves again', () => {
  const seconds = (): number => Math.floor(Date.now() / 1_000);

  it('does so at the provider, anew, as the same person; then the session may do what asks for it', async () => {
    const one = await sso.connect(sso.owner, {
      provisioning: true,
      roles: { rules: [], defaultRole: 'Admin', everySignIn: false },
    });
    const ivy = sso.somebody('ivy');
    const session = await sso.session(ivy, one);
    const change = () => session.post('/v1/domains', { name: `ivy.${sso.domain}` });
    expect(await refusal(change())).toEqual({ status: 403, code: 'STEP_UP_REQUIRED' });

    const proveAgain = async (claims: JWTPayload): Promise<Page> => {
      const asked = await session.post<{ authorizationUrl: string }>('/v1/sso/step-up', {
        returnTo: '/keys',
      });
      expect(asked.status).toBe(200);
      const { parameters } = sso.issuer.read(asked.body.authorizationUrl);
      expect([parameters.get('prompt'), parameters.get('max_age')]).toEqual(['login', '0']);
      const cookie = (asked.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
      sso.issuer.claims = claims;
      return new Browser().get(sso.issuer.approve(asked.body.authorizationUrl), { cookie });
    };
    for (const [claims, reason] of [
      [{ ...ivy, auth_time: seconds() - 900 }, 'SSO_NOT_ANEW'],
      [ivy, 'SSO_NOT_ANEW'],
      [sso.somebody('jon', { auth_time: seconds() }), 'SSO_OTHER_PERSON'],
    ] as const) {
      expect((await proveAgain(claims)).body).toMatchObject({ code: 'SSO_FAILED' });
      expect(await sso.lastEvent('session.stepped_up')).toMatchObject({ outcome: 'denied', reason });
      expect(await refusal(change())).toEqual({ status: 403, code: 'STEP_UP_REQUIRED' });
    }
    const proved = await proveAgain({ ...ivy, auth_time: seconds() });
    expect([proved.status, proved.location]).toEqual([302, `${app.baseUrl}/keys`]);
    expect(proved.headers.getSetCookie().join()).not.toContain('waxell_session');
    expect((await sso.lastEvent('session.stepped_up'))?.changes).toMatchObject({ method: 'oidc' });
    expect((await change()).status).toBe(201);
    // Of a session of a password no provider knows.
    expect(await refusal(sso.owner.post('/v1/sso/step-up', {}))).toEqual({
      status: 403,
      code: 'STEP_UP_NEEDS_SESSION',
    });
  });
});

describe('somebody whose provider never says that it has just asked', () => {
  const signedIn = (sub: string): Promise<Client> => sso.session(sso.somebody(sub));
  /** As if so much had happened ten minutes earlier. */
  const earlier = async (session: Client, column: 'created_at' | 'stepped_up_at'): Promise<void> => {
    const { items } = await must(session.get<SessionsDto>('/v1/auth/sessions'), 200);
    const id = items.find(({ current }) => current)?.id;
    await asSuperuser(app.home, 'us-east-1', (database) =>
      database.query(
        `UPDATE "${sso.tenant.id}".sessions SET ${column} = ${column} - interval '10 minutes' WHERE id = $1`,
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
    const person = await createPerson(sso.tenant.api, 'Viewer');
    const { accessToken } = await signIn(app, sso.tenant.slug, person);
    expect(await refusal(begin(client(app.baseUrl, accessToken)))).toEqual(REQUIRED);
  });
});
