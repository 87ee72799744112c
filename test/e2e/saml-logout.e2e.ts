import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Browser, type Page } from '../support/browser.js';
import { must } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { SamlSignIns } from '../support/saml-sign-ins.js';

let sso: SamlSignIns;
beforeAll(async () => {
  sso = await SamlSignIns.begin();
});
afterAll(() => sso.end());
beforeEach(() => sso.honest());

describe('single logout', () => {
  const url = (): string => sso.url('logout');

  it('that begins at the provider ends the session here within a second, by form and by address', async () => {
    for (const binding of ['post', 'redirect']) {
      const browser = new Browser();
      await sso.signIn(browser);
      const session = sso.session(browser);
      expect((await session.get('/v1/me')).status).toBe(200);
      const request = { destination: url(), nameId: 'ann', sessionIndex: 'samlp-session' };
      const page =
        binding === 'post'
          ? await new Browser().post(url(), { SAMLRequest: sso.idp.logoutRequest(request) })
          : await new Browser().get(`${url()}?${sso.idp.logoutQuery(request)}`);
      expect(page.status).toBe(302);
      expect(page.location).toMatch(new RegExp(`^${sso.provider.url}/logout\\?SAMLResponse=.*Signature=`));
      await eventually(async () => expect((await session.get('/v1/me')).status).toBe(401), 1_000);
    }
  });

  it.each<[string, string, () => Promise<Page>]>([
    [
      'SAML_SIGNATURE_MISSING',
      'unsigned',
      () =>
        new Browser().get(
          `${url()}?${sso.idp.logoutQuery({ destination: url(), nameId: 'ann' }).split('&SigAlg')[0]}`,
        ),
    ],
    [
      'SAML_SIGNATURE_INVALID',
      'changed',
      () =>
        new Browser().get(
          `${url()}?${sso.idp.logoutQuery({ destination: url(), nameId: 'ann' }).replace('RelayState=x', 'RelayState=y')}`,
        ),
    ],
    [
      'SAML_SIGNATURE_ALGORITHM',
      'signed with SHA-1',
      () =>
        new Browser().get(
          `${url()}?${sso.idp.logoutQuery({ destination: url(), nameId: 'ann' }, 'http://www.w3.org/2000/09/xmldsig#rsa-sha1', 'RSA-SHA1')}`,
        ),
    ],
    [
      'SAML_SIGNATURE_ALGORITHM',
      'signed with SHA-1, by form',
      () =>
        new Browser().post(url(), {
          SAMLRequest: sso.idp.logoutRequest(
            { destination: url(), nameId: 'ann' },
            { signature: 'http://www.w3.org/2000/09/xmldsig#rsa-sha1' },
          ),
        }),
    ],
    [
      'SAML_DESTINATION',
      'for somebody else',
      () =>
        new Browser().post(url(), {
          SAMLRequest: sso.idp.logoutRequest({ destination: 'https://evil.example', nameId: 'ann' }),
        }),
    ],
    [
      'SAML_ISSUER',
      'of somebody else',
      () =>
        new Browser().post(url(), {
          SAMLRequest: sso.idp.logoutRequest({ destination: url(), nameId: 'ann', issuer: 'evil' }),
        }),
    ],
    [
      'SAML_EXPIRED',
      'of an hour ago',
      () =>
        new Browser().post(url(), {
          SAMLRequest: sso.idp.logoutRequest({ destination: url(), nameId: 'ann', issuedAt: -3_600 }),
        }),
    ],
    [
      'SAML_MALFORMED',
      'with two requests',
      () =>
        new Browser().get(
          `${url()}?SAMLRequest=x&${sso.idp.logoutQuery({ destination: url(), nameId: 'ann' })}`,
        ),
    ],
  ])('is refused with %s: %s', async (reason, _name, send) => {
    const browser = new Browser();
    await sso.signIn(browser);
    const page = await send();
    expect([page.status, (page.body as { code: string }).code]).toEqual([400, 'LOGOUT_TOKEN_INVALID']);
    expect((await sso.lastEvent('sso.ended'))?.reason).toBe(reason);
    expect((await sso.session(browser).get('/v1/me')).status).toBe(200);
  });

  it('that begins here goes to the provider, signed', async () => {
    const browser = new Browser();
    await sso.signIn(browser);
    const session = sso.session(browser);
    const { redirectTo } = await must(
      session.post<{ redirectTo: string }>('/v1/sso/logout', undefined, { 'sec-fetch-site': 'same-origin' }),
      200,
    );
    expect(redirectTo).toMatch(new RegExp(`^${sso.provider.url}/logout\\?SAMLRequest=.*Signature=`));
    await eventually(async () => expect((await session.get('/v1/me')).status).toBe(401), 1_000);
  });
});
