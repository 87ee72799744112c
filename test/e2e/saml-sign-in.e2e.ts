import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { MeDto } from '../../src/auth/auth.dto.js';
import type { ConnectionDto } from '../../src/federation/connections.dto.js';
import { encode } from '../fakes/saml-idp.js';
import { Browser, type Page } from '../support/browser.js';
import { must, refusal } from '../support/client.js';
import { requestOf, SamlSignIns } from '../support/saml-sign-ins.js';
import { sharedSite } from '../support/shared-application.js';

const app = sharedSite();
let sso: SamlSignIns;
beforeAll(async () => {
  sso = await SamlSignIns.begin();
});
afterAll(() => sso.end());
beforeEach(() => sso.honest());

describe('a sign-in through a SAML provider', () => {
  it('begins with a request that is signed, and for nobody else', async () => {
    const page = await sso.start(new Browser());
    const { xml } = requestOf(page.location ?? '');
    expect(xml).toContain(`AssertionConsumerServiceURL="${sso.our.acsUrl}"`);
    expect(new URL(page.location ?? '').searchParams.get('SigAlg')).toBe(
      'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
    );
    expect(page.headers.get('set-cookie')).toMatch(/; Secure; SameSite=None$/);
  });

  it.each([
    ['signs the assertion', {}],
    ['signs the response as well', { signResponse: true }],
  ])('opens a session where the provider %s', async (_name, options) => {
    sso.provider.options = options;
    const browser = new Browser();
    const page = await sso.signIn(browser);
    expect([page.status, page.location]).toEqual([302, `${app.baseUrl}/agents`]);
    const me = await must(sso.session(browser).get<MeDto>('/v1/me'), 200);
    expect(me.user).toMatchObject({ email: sso.address('ann'), displayName: 'Ann', role: 'Developer' });
    expect((await sso.lastEvent('session.created'))?.changes).toMatchObject({ method: 'saml' });
  });

  it('opens one where the provider encrypts to the key of our metadata', async () => {
    sso.provider.options = { encryptTo: sso.our.certificate };
    expect((await sso.signIn()).status).toBe(302);
  });

  it('costs nobody a sign-in when the provider replaces its certificate', async () => {
    const before = await sso.rollOver();
    expect((await sso.signIn()).status).toBe(302);
    expect(await sso.lastEvent('sso_connection.metadata_refreshed')).toMatchObject({ outcome: 'success' });
    // What the former certificate signs is not believed any more.
    const browser = new Browser();
    const { id, relayState } = requestOf((await sso.start(browser)).location ?? '');
    const old = { SAMLResponse: encode(before.signed(sso.parts({ requestId: id }))), RelayState: relayState };
    expect(await sso.refusedWith(await browser.post(sso.our.acsUrl, old))).toBe('SAML_SIGNATURE_INVALID');
  });
});

describe('a response that is shown where it does not belong is refused', () => {
  it('a second time, in the same browser or another', async () => {
    const browser = new Browser();
    const fields = await sso.answered(browser);
    const cookie = browser.cookies(sso.our.acsUrl);
    expect((await browser.post(sso.our.acsUrl, fields)).status).toBe(302);
    expect(await sso.refusedWith(await new Browser().post(sso.our.acsUrl, fields, { cookie }))).toBe(
      'SSO_STATE_UNKNOWN',
    );
  });

  it('to another sign-in than the one that it answers', async () => {
    const [one, other] = [new Browser(), new Browser()];
    const stolen = await sso.answered(one);
    const { relayState } = requestOf((await sso.start(other)).location ?? '');
    const page = await other.post(sso.our.acsUrl, { ...stolen, RelayState: relayState });
    expect(await sso.refusedWith(page)).toBe('SAML_IN_RESPONSE_TO');
  });

  it('by a browser that began nothing', async () => {
    const fields = await sso.answered(new Browser());
    expect(await sso.refusedWith(await new Browser().post(sso.our.acsUrl, fields))).toBe('SSO_BROWSER_OTHER');
    expect(
      await sso.refusedWith(await new Browser().post(sso.our.acsUrl, { ...fields, RelayState: '' })),
    ).toBe('SAML_UNSOLICITED');
  });

  it('without being the provider’s, which is kept as the last error, in words', async () => {
    const browser = new Browser();
    const { relayState } = requestOf((await sso.start(browser)).location ?? '');
    const page = await browser.post(sso.our.acsUrl, { SAMLResponse: encode('<a/>'), RelayState: relayState });
    expect(await sso.refusedWith(page)).toBe('SAML_MALFORMED');
    const { lastError } = await must(sso.tenant.api.get<ConnectionDto>(sso.path), 200);
    expect(lastError).toMatch(/^SAML_MALFORMED: The message is not well-formed/);
  });

  it('as anything but a form, or with fields twice', async () => {
    const json = sso.tenant.api.post(new URL(sso.our.acsUrl).pathname, { SAMLResponse: 'x' });
    expect(await refusal(json)).toEqual({ status: 400, code: 'UNSUPPORTED_MEDIA_TYPE' });
    expect((await new Browser().post(sso.our.acsUrl, {})).status).toBe(401);
    const twice = await fetch(sso.our.acsUrl, {
      method: 'POST',
      body: new URLSearchParams('SAMLResponse=a&SAMLResponse=b'),
    });
    expect(twice.status).toBe(401);
  });
});

describe('a sign-in that begins at the provider', () => {
  const send = (xml: string): Promise<Page> =>
    new Browser().post(sso.our.acsUrl, { SAMLResponse: encode(xml), RelayState: '/anywhere' });

  it('is taken where the connection says so, once for each assertion, and never as an answer', async () => {
    const allow = (idpInitiated: boolean) =>
      must(sso.owner.patch<ConnectionDto>(sso.path, { saml: { idpInitiated } }), 200);
    const xml = sso.idp.signed(sso.parts());
    expect(await sso.refusedWith(await send(xml))).toBe('SSO_STATE_UNKNOWN');
    await allow(true);
    const page = await send(xml);
    expect([page.status, page.location]).toEqual([302, `${app.baseUrl}/`]);
    expect(await sso.refusedWith(await send(xml))).toBe('SAML_REPLAYED');
    expect(await sso.refusedWith(await send(sso.idp.signed(sso.parts({ requestId: '_stolen' }))))).toBe(
      'SAML_IN_RESPONSE_TO',
    );
    const same = sso.idp.signed(sso.parts());
    const pages = await Promise.all([1, 2, 3].map(() => send(same)));
    expect(pages.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([302, 401, 401]);
    await allow(false);
    expect(await sso.refusedWith(await send(sso.idp.signed(sso.parts())))).toBe('SSO_STATE_UNKNOWN');
  });
});
