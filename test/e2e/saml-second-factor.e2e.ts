import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { encode } from '../fakes/saml-idp.js';
import { Browser } from '../support/browser.js';
import { client, must, refusal } from '../support/client.js';
import { requestOf, SamlSignIns } from '../support/saml-sign-ins.js';
import { proveFactor, withTotp } from '../support/second-factors.js';
import { sharedSite } from '../support/shared-application.js';

const app = sharedSite();
let sso: SamlSignIns;
beforeAll(async () => {
  sso = await SamlSignIns.begin();
});
afterAll(() => sso.end());
beforeEach(() => sso.honest());

describe('somebody without a password', () => {
  it('proves themselves again at the provider, which is asked to ask', async () => {
    const browser = new Browser();
    await sso.signIn(browser);
    const session = sso.session(browser);
    const asked = await session.post<{ authorizationUrl: string }>(
      '/v1/sso/step-up',
      {},
      { 'sec-fetch-site': 'same-origin' },
    );
    const { id, relayState, xml } = requestOf(asked.body.authorizationUrl);
    expect(xml).toContain('ForceAuthn="true"');
    const cookie = (asked.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
    const fields = {
      SAMLResponse: encode(sso.idp.signed(sso.parts({ requestId: id }))),
      RelayState: relayState,
    };
    expect((await new Browser().post(sso.our.acsUrl, fields, { cookie })).status).toBe(302);
    expect((await sso.lastEvent('session.stepped_up'))?.changes).toMatchObject({ method: 'saml' });
  });
});

describe('somebody with a second factor', () => {
  const REFEDS = 'https://refeds.org/profile/mfa';
  const PASSWORD = 'urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport';

  it('is asked for none where the assertion says that the provider has asked, as far as the connection believes it', async () => {
    const email = sso.address('two');
    const password = 'correct horse battery staple 1';
    const body = { email, password, role: 'Viewer' };
    const { id: personId } = await must(sso.tenant.api.post<{ id: string }>('/v1/users', body), 201);
    const { recoveryCodes } = await withTotp(app, sso.tenant, { id: personId, email, password });
    const signedInAs = async (context: string, methods: readonly string[] = []): Promise<string> =>
      (await sentTo(context, methods)).pathname;
    const sentTo = async (context: string, methods: readonly string[] = []): Promise<URL> => {
      const browser = new Browser();
      const { id, relayState } = requestOf((await sso.start(browser)).location ?? '');
      const attributes = {
        email: [email],
        ...(methods.length > 0 && { 'http://schemas.microsoft.com/claims/authnmethodsreferences': methods }),
      };
      const response = sso.idp.signed(sso.parts({ requestId: id, nameId: 'two', attributes, context }));
      const page = await browser.post(sso.our.acsUrl, {
        SAMLResponse: encode(response),
        RelayState: relayState,
      });
      expect(page.status).toBe(302);
      return new URL(page.location ?? '', app.baseUrl);
    };
    const trust = (secondFactor: string) => must(sso.owner.patch(sso.path, { saml: { secondFactor } }), 200);
    expect(await signedInAs(PASSWORD)).toBe('/second-factor');
    expect(await signedInAs(REFEDS)).toBe('/agents');
    expect((await sso.lastEvent('session.created'))?.changes).toMatchObject({ secondFactor: 'provider' });
    expect(await signedInAs(PASSWORD, ['http://schemas.microsoft.com/claims/multipleauthn'])).toBe('/agents');
    await trust('never');
    expect(await signedInAs(REFEDS)).toBe('/second-factor');
    await trust('always');
    expect(await signedInAs(PASSWORD)).toBe('/agents');
    await trust('claimed');
    // Whom the provider logs out before the second factor is proved comes in no more.
    const slo = sso.url('logout');
    const challenge = new URLSearchParams((await sentTo(PASSWORD)).hash.slice(1)).get('challenge') ?? '';
    const logout = (nameId: string) =>
      new Browser().get(`${slo}?${sso.idp.logoutQuery({ destination: slo, nameId })}`);
    const described = () => client(app.baseUrl).post('/v1/auth/second-factor/options', { challenge });
    expect((await logout('ann')).status).toBe(302);
    expect((await described()).status).toBe(200);
    expect((await logout('two')).status).toBe(302);
    expect(await refusal(described())).toEqual({ status: 401, code: 'CHALLENGE_INVALID' });
    const late = proveFactor(app, challenge, { recoveryCode: recoveryCodes[0] ?? '' }, {});
    expect(await refusal(late)).toEqual({ status: 401, code: 'CHALLENGE_INVALID' });
  });
});
