import { inflateRawSync } from 'node:zlib';
import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { MeDto } from '../../src/auth/auth.dto.js';
import type { DomainDto } from '../../src/domains/domains.dto.js';
import type { ConnectionDto } from '../../src/federation/connections.dto.js';
import type { SetupDto } from '../../src/federation/setup.dto.js';
import type { TestReportDto } from '../../src/federation/tests.dto.js';
import { startFakeNameServer, type OwnNameServer } from '../fakes/name-server.js';
import { encode, SamlIdp, type ResponseParts } from '../fakes/saml-idp.js';
import { formOf, SamlpProvider } from '../fakes/samlp-provider.js';
import { startApplication, type Application } from '../support/application.js';
import { Browser, type Page } from '../support/browser.js';
import { client, must, refusal, type Client } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { activeConnection, lastEvent, ssoUrl, steppedUp, verifiedDomain } from '../support/single-sign-on.js';
import { proveFactor, withTotp } from '../support/second-factors.js';
import { createPerson, createTenant, type TestTenant } from '../support/tenants.js';

let app: Application;
let names: OwnNameServer;
let idp: SamlIdp;
let provider: SamlpProvider;
let acme: TestTenant;
let globex: TestTenant;
let owner: Client;
let domain: string;
let domainId: string;
let record: DomainDto['record'];
let connection: ConnectionDto;
let our: { acsUrl: string; certificate: string };

beforeAll(async () => {
  [names, idp] = [await startFakeNameServer(), await SamlIdp.create()];
  provider = await SamlpProvider.start(
    () => idp,
    () => our,
  );
  provider.metadata = idp.metadata(provider.url);
  app = await startApplication({
    env: { IDENTITY_PROVIDERS_ALLOW: '127.0.0.0/8', DNS_SERVERS: names.server },
  });
  // The application says its own address as browsers see it.
  Object.assign(app, { baseUrl: app.baseUrl.replace('127.0.0.1', 'localhost') });
  [acme, globex] = [await createTenant(app), await createTenant(app)];
  owner = await steppedUp(app, acme);
  ({ name: domain, id: domainId, record } = await verifiedDomain(owner, names));
  connection = await activeConnection(owner, {
    type: 'saml',
    saml: { metadataUrl: `${provider.url}/metadata` },
    provisioning: true,
    roles: {
      rules: [{ claim: 'groups', value: 'builders', role: 'Developer' }],
      defaultRole: 'Viewer',
      everySignIn: false,
    },
  });
  const metadata = await (await fetch(ssoUrl(app, acme, connection, 'metadata'))).text();
  const base64 = /<ds:X509Certificate>([^<]+)</.exec(metadata)?.[1] ?? '';
  our = {
    acsUrl: ssoUrl(app, acme, connection, 'acs'),
    certificate: new X509Certificate(Buffer.from(base64, 'base64')).toString(),
  };
});
afterAll(async () => {
  await app.dispose();
  await Promise.all([names.close(), provider.close()]);
});
beforeEach(async () => {
  owner = await steppedUp(app, acme);
  provider.options = {};
  provider.user = {
    id: 'ann',
    attributes: { email: `ann@${domain}`, name: 'Ann', groups: ['staff', 'builders'] },
  };
});

const start = (browser: Browser): Promise<Page> =>
  browser.get(`${ssoUrl(app, acme, connection, 'start')}?returnTo=/agents`);

/** By way of samlp: what its form would send. */
async function answered(browser: Browser): Promise<Record<string, string>> {
  const { location } = await start(browser);
  const page = await browser.get(location ?? '');
  expect(page.status).toBe(200);
  return formOf(page.body).fields;
}

async function signIn(browser = new Browser()): Promise<Page> {
  return browser.post(our.acsUrl, await answered(browser));
}

/** Of the request that a start leads to: its id, and the state that comes back with the answer. */
function requestOf(url: string): { id: string; relayState: string; xml: string } {
  const query = new URL(url).searchParams;
  const xml = inflateRawSync(Buffer.from(query.get('SAMLRequest') ?? '', 'base64')).toString();
  return { id: / ID="([^"]+)"/.exec(xml)?.[1] ?? '', relayState: query.get('RelayState') ?? '', xml };
}

const parts = (more: Partial<ResponseParts> = {}): ResponseParts => ({
  acsUrl: our.acsUrl,
  audience: ssoUrl(app, acme, connection, 'metadata'),
  nameId: 'ann',
  attributes: { email: [`ann@${domain}`] },
  ...more,
});

async function refusedWith(page: Page): Promise<string | undefined> {
  expect([page.status, (page.body as { code: string }).code]).toEqual([401, 'SSO_FAILED']);
  const event = await lastEvent(acme, 'session.created');
  expect(event?.outcome).toBe('denied');
  return event?.reason;
}

async function sessionOf(browser: Browser): Promise<Client> {
  return client(app.baseUrl, undefined, { cookie: browser.cookies(app.baseUrl), 'user-agent': 'node' });
}

describe('a sign-in through a SAML provider', () => {
  it('begins with a request that is signed, and for nobody else', async () => {
    const page = await start(new Browser());
    const { xml } = requestOf(page.location ?? '');
    expect(xml).toContain(`AssertionConsumerServiceURL="${our.acsUrl}"`);
    expect(new URL(page.location ?? '').searchParams.get('SigAlg')).toBe(
      'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
    );
    expect(page.headers.get('set-cookie')).toMatch(/; Secure; SameSite=None$/);
  });

  it.each([
    ['signs the assertion', {}],
    ['signs the response as well', { signResponse: true }],
  ])('opens a session where the provider %s', async (_name, options) => {
    provider.options = options;
    const browser = new Browser();
    const page = await signIn(browser);
    expect([page.status, page.location]).toEqual([302, `${app.baseUrl}/agents`]);
    const me = await must((await sessionOf(browser)).get<MeDto>('/v1/me'), 200);
    expect(me.user).toMatchObject({ email: `ann@${domain}`, displayName: 'Ann', role: 'Developer' });
    expect((await lastEvent(acme, 'session.created'))?.changes).toMatchObject({ method: 'saml' });
  });

  it('opens one where the provider encrypts to the key of our metadata', async () => {
    provider.options = { encryptTo: our.certificate };
    expect((await signIn()).status).toBe(302);
  });

  it('costs nobody a sign-in when the provider replaces its certificate', async () => {
    const before = idp;
    idp = await SamlIdp.create();
    provider.metadata = idp.metadata(provider.url);
    expect((await signIn()).status).toBe(302);
    expect(await lastEvent(acme, 'sso_connection.metadata_refreshed')).toMatchObject({ outcome: 'success' });
    // What the former certificate signs is not believed any more.
    const browser = new Browser();
    const { id, relayState } = requestOf((await start(browser)).location ?? '');
    const old = { SAMLResponse: encode(before.signed(parts({ requestId: id }))), RelayState: relayState };
    expect(await refusedWith(await browser.post(our.acsUrl, old))).toBe('SAML_SIGNATURE_INVALID');
  });
});

describe('a response that is shown where it does not belong is refused', () => {
  it('a second time, in the same browser or another', async () => {
    const browser = new Browser();
    const fields = await answered(browser);
    const cookie = browser.cookies(our.acsUrl);
    expect((await browser.post(our.acsUrl, fields)).status).toBe(302);
    expect(await refusedWith(await new Browser().post(our.acsUrl, fields, { cookie }))).toBe(
      'SSO_STATE_UNKNOWN',
    );
  });

  it('to another sign-in than the one that it answers', async () => {
    const [one, other] = [new Browser(), new Browser()];
    const stolen = await answered(one);
    const { relayState } = requestOf((await start(other)).location ?? '');
    const page = await other.post(our.acsUrl, { ...stolen, RelayState: relayState });
    expect(await refusedWith(page)).toBe('SAML_IN_RESPONSE_TO');
  });

  it('by a browser that began nothing', async () => {
    const fields = await answered(new Browser());
    expect(await refusedWith(await new Browser().post(our.acsUrl, fields))).toBe('SSO_BROWSER_OTHER');
    expect(await refusedWith(await new Browser().post(our.acsUrl, { ...fields, RelayState: '' }))).toBe(
      'SAML_UNSOLICITED',
    );
  });

  it('without being the provider’s, which is kept as the last error, in words', async () => {
    const browser = new Browser();
    const { relayState } = requestOf((await start(browser)).location ?? '');
    const page = await browser.post(our.acsUrl, { SAMLResponse: encode('<a/>'), RelayState: relayState });
    expect(await refusedWith(page)).toBe('SAML_MALFORMED');
    const { lastError } = await must(
      acme.api.get<ConnectionDto>(`/v1/sso/connections/${connection.id}`),
      200,
    );
    expect(lastError).toMatch(/^SAML_MALFORMED: The message is not well-formed/);
  });

  it('as anything but a form, or with fields twice', async () => {
    const json = acme.api.post(new URL(our.acsUrl).pathname, { SAMLResponse: 'x' });
    expect(await refusal(json)).toEqual({ status: 400, code: 'UNSUPPORTED_MEDIA_TYPE' });
    expect((await new Browser().post(our.acsUrl, {})).status).toBe(401);
    const twice = await fetch(our.acsUrl, {
      method: 'POST',
      body: new URLSearchParams('SAMLResponse=a&SAMLResponse=b'),
    });
    expect(twice.status).toBe(401);
  });
});

describe('a sign-in that begins at the provider', () => {
  const send = (xml: string): Promise<Page> =>
    new Browser().post(our.acsUrl, { SAMLResponse: encode(xml), RelayState: '/anywhere' });

  it('is taken where the connection says so, once for each assertion, and never as an answer', async () => {
    const allow = (idpInitiated: boolean) =>
      must(
        owner.patch<ConnectionDto>(`/v1/sso/connections/${connection.id}`, { saml: { idpInitiated } }),
        200,
      );
    const xml = idp.signed(parts());
    expect(await refusedWith(await send(xml))).toBe('SSO_STATE_UNKNOWN');
    await allow(true);
    const page = await send(xml);
    expect([page.status, page.location]).toEqual([302, `${app.baseUrl}/`]);
    expect(await refusedWith(await send(xml))).toBe('SAML_REPLAYED');
    expect(await refusedWith(await send(idp.signed(parts({ requestId: '_stolen' }))))).toBe(
      'SAML_IN_RESPONSE_TO',
    );
    const same = idp.signed(parts());
    const pages = await Promise.all([1, 2, 3].map(() => send(same)));
    expect(pages.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([302, 401, 401]);
    await allow(false);
    expect(await refusedWith(await send(idp.signed(parts())))).toBe('SSO_STATE_UNKNOWN');
  });
});

describe('single logout', () => {
  const url = (): string => ssoUrl(app, acme, connection, 'logout');

  it('that begins at the provider ends the session here within a second, by form and by address', async () => {
    for (const binding of ['post', 'redirect']) {
      const browser = new Browser();
      await signIn(browser);
      const session = await sessionOf(browser);
      expect((await session.get('/v1/me')).status).toBe(200);
      const request = { destination: url(), nameId: 'ann', sessionIndex: 'samlp-session' };
      const page =
        binding === 'post'
          ? await new Browser().post(url(), { SAMLRequest: idp.logoutRequest(request) })
          : await new Browser().get(`${url()}?${idp.logoutQuery(request)}`);
      expect(page.status).toBe(302);
      expect(page.location).toMatch(new RegExp(`^${provider.url}/logout\\?SAMLResponse=.*Signature=`));
      await eventually(async () => expect((await session.get('/v1/me')).status).toBe(401), 1_000);
    }
  });

  it.each<[string, string, () => Promise<Page>]>([
    [
      'SAML_SIGNATURE_MISSING',
      'unsigned',
      () =>
        new Browser().get(
          `${url()}?${idp.logoutQuery({ destination: url(), nameId: 'ann' }).split('&SigAlg')[0]}`,
        ),
    ],
    [
      'SAML_SIGNATURE_INVALID',
      'changed',
      () =>
        new Browser().get(
          `${url()}?${idp.logoutQuery({ destination: url(), nameId: 'ann' }).replace('RelayState=x', 'RelayState=y')}`,
        ),
    ],
    [
      'SAML_SIGNATURE_ALGORITHM',
      'signed with SHA-1',
      () =>
        new Browser().get(
          `${url()}?${idp.logoutQuery({ destination: url(), nameId: 'ann' }, 'http://www.w3.org/2000/09/xmldsig#rsa-sha1', 'RSA-SHA1')}`,
        ),
    ],
    [
      'SAML_SIGNATURE_ALGORITHM',
      'signed with SHA-1, by form',
      () =>
        new Browser().post(url(), {
          SAMLRequest: idp.logoutRequest(
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
          SAMLRequest: idp.logoutRequest({ destination: 'https://evil.example', nameId: 'ann' }),
        }),
    ],
    [
      'SAML_ISSUER',
      'of somebody else',
      () =>
        new Browser().post(url(), {
          SAMLRequest: idp.logoutRequest({ destination: url(), nameId: 'ann', issuer: 'evil' }),
        }),
    ],
    [
      'SAML_EXPIRED',
      'of an hour ago',
      () =>
        new Browser().post(url(), {
          SAMLRequest: idp.logoutRequest({ destination: url(), nameId: 'ann', issuedAt: -3_600 }),
        }),
    ],
    [
      'SAML_MALFORMED',
      'with two requests',
      () =>
        new Browser().get(`${url()}?SAMLRequest=x&${idp.logoutQuery({ destination: url(), nameId: 'ann' })}`),
    ],
  ])('is refused with %s: %s', async (reason, _name, send) => {
    const browser = new Browser();
    await signIn(browser);
    const page = await send();
    expect([page.status, (page.body as { code: string }).code]).toEqual([400, 'LOGOUT_TOKEN_INVALID']);
    expect((await lastEvent(acme, 'sso.ended'))?.reason).toBe(reason);
    expect((await (await sessionOf(browser)).get('/v1/me')).status).toBe(200);
  });

  it('that begins here goes to the provider, signed', async () => {
    const browser = new Browser();
    await signIn(browser);
    const session = await sessionOf(browser);
    const { redirectTo } = await must(
      session.post<{ redirectTo: string }>('/v1/sso/logout', undefined, { 'sec-fetch-site': 'same-origin' }),
      200,
    );
    expect(redirectTo).toMatch(new RegExp(`^${provider.url}/logout\\?SAMLRequest=.*Signature=`));
    await eventually(async () => expect((await session.get('/v1/me')).status).toBe(401), 1_000);
  });
});

describe('somebody without a password', () => {
  it('proves themselves again at the provider, which is asked to ask', async () => {
    const browser = new Browser();
    await signIn(browser);
    const session = await sessionOf(browser);
    const asked = await session.post<{ authorizationUrl: string }>(
      '/v1/sso/step-up',
      {},
      { 'sec-fetch-site': 'same-origin' },
    );
    const { id, relayState, xml } = requestOf(asked.body.authorizationUrl);
    expect(xml).toContain('ForceAuthn="true"');
    const cookie = (asked.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
    const fields = { SAMLResponse: encode(idp.signed(parts({ requestId: id }))), RelayState: relayState };
    expect((await new Browser().post(our.acsUrl, fields, { cookie })).status).toBe(302);
    expect((await lastEvent(acme, 'session.stepped_up'))?.changes).toMatchObject({ method: 'saml' });
  });
});

describe('somebody with a second factor', () => {
  const REFEDS = 'https://refeds.org/profile/mfa';
  const PASSWORD = 'urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport';

  it('is asked for none where the assertion says that the provider has asked, as far as the connection believes it', async () => {
    const email = `two@${domain}`;
    const password = 'correct horse battery staple 1';
    const body = { email, password, role: 'Viewer' };
    const { id: personId } = await must(acme.api.post<{ id: string }>('/v1/users', body), 201);
    const { recoveryCodes } = await withTotp(app, acme, { id: personId, email, password });
    const signedInAs = async (context: string, methods: readonly string[] = []): Promise<string> =>
      (await sentTo(context, methods)).pathname;
    const sentTo = async (context: string, methods: readonly string[] = []): Promise<URL> => {
      const browser = new Browser();
      const { id, relayState } = requestOf((await start(browser)).location ?? '');
      const attributes = {
        email: [email],
        ...(methods.length > 0 && { 'http://schemas.microsoft.com/claims/authnmethodsreferences': methods }),
      };
      const response = idp.signed(parts({ requestId: id, nameId: 'two', attributes, context }));
      const page = await browser.post(our.acsUrl, { SAMLResponse: encode(response), RelayState: relayState });
      expect(page.status).toBe(302);
      return new URL(page.location ?? '', app.baseUrl);
    };
    const trust = (secondFactor: string) =>
      must(owner.patch(`/v1/sso/connections/${connection.id}`, { saml: { secondFactor } }), 200);
    expect(await signedInAs(PASSWORD)).toBe('/second-factor');
    expect(await signedInAs(REFEDS)).toBe('/agents');
    expect((await lastEvent(acme, 'session.created'))?.changes).toMatchObject({ secondFactor: 'provider' });
    expect(await signedInAs(PASSWORD, ['http://schemas.microsoft.com/claims/multipleauthn'])).toBe('/agents');
    await trust('never');
    expect(await signedInAs(REFEDS)).toBe('/second-factor');
    await trust('always');
    expect(await signedInAs(PASSWORD)).toBe('/agents');
    await trust('claimed');
    // Whom the provider logs out before the second factor is proved comes in no more.
    const slo = ssoUrl(app, acme, connection, 'logout');
    const challenge = new URLSearchParams((await sentTo(PASSWORD)).hash.slice(1)).get('challenge') ?? '';
    const logout = (nameId: string) =>
      new Browser().get(`${slo}?${idp.logoutQuery({ destination: slo, nameId })}`);
    const described = () => client(app.baseUrl).post('/v1/auth/second-factor/options', { challenge });
    expect((await logout('ann')).status).toBe(302);
    expect((await described()).status).toBe(200);
    expect((await logout('two')).status).toBe(302);
    expect(await refusal(described())).toEqual({ status: 401, code: 'CHALLENGE_INVALID' });
    const late = proveFactor(app, challenge, { recoveryCode: recoveryCodes[0] ?? '' }, {});
    expect(await refusal(late)).toEqual({ status: 401, code: 'CHALLENGE_INVALID' });
  });
});

describe('the test of a connection', () => {
  it('shows each claim, what it meant and why, opens no session, and is kept for those who administer it', async () => {
    const { url } = await must(owner.post<{ url: string }>(`/v1/sso/connections/${connection.id}/test`), 200);
    const browser = new Browser();
    const { location } = await browser.get(url);
    const fields = formOf((await browser.get(location ?? '')).body).fields;
    const page = await browser.post(our.acsUrl, fields);
    const report = page.body as TestReportDto;
    expect(report).toMatchObject({
      works: true,
      account: 'known',
      subject: 'ann',
      claims: { email: [`ann@${domain}`], groups: ['staff', 'builders'] },
      mapped: { role: 'Developer', roleBecause: 'groups has the value builders' },
    });
    expect(page.headers.getSetCookie().join()).not.toContain('waxell_session');
    expect(await lastEvent(acme, 'sso_connection.test_received')).toMatchObject({ outcome: 'success' });
    expect((await browser.get(url)).status).toBe(401);
    const tests = `/v1/sso/connections/${connection.id}/tests`;
    const { items } = await must(acme.api.get<{ items: TestReportDto[] }>(tests), 200);
    expect(items[0]).toEqual({ ...report, at: expect.any(String) as string });
    expect((await globex.api.get(tests)).status).toBe(404);
    const developer = await createPerson(acme.api, 'Developer');
    expect(await refusal((await steppedUp(app, acme, developer)).get(tests))).toMatchObject({ status: 403 });
  });

  it('says in words why it would not have been a sign-in, and keeps the last ten', async () => {
    provider.user = { id: 'stranger', attributes: { email: 'stranger@elsewhere.example' } };
    for (let times = 0; times < 11; times += 1) {
      const { url } = await must(
        owner.post<{ url: string }>(`/v1/sso/connections/${connection.id}/test`),
        200,
      );
      const browser = new Browser();
      const { location } = await browser.get(url);
      const { fields } = formOf((await browser.get(location ?? '')).body);
      const { body } = await browser.post(
        our.acsUrl,
        times === 10 ? { ...fields, SAMLResponse: encode('<a/>') } : fields,
      );
      expect(body).toMatchObject(
        times === 10
          ? { works: false, code: 'SAML_MALFORMED', claims: {} }
          : {
              works: false,
              code: 'SSO_EMAIL_DOMAIN',
              why: 'The e-mail address is not of a domain that is verified for the organisation.',
            },
      );
    }
    const { items } = await must(
      acme.api.get<{ items: TestReportDto[] }>(`/v1/sso/connections/${connection.id}/tests`),
      200,
    );
    expect(items).toHaveLength(10);
    expect(items[0]?.code).toBe('SAML_MALFORMED');
  });
});

describe('a domain', () => {
  it('is verified by its DNS, and by nothing less', async () => {
    const added = await must(
      owner.post<{ id: string; record: { host: string; value: string } }>('/v1/domains', {
        name: `x-${domain}`,
      }),
      201,
    );
    const verify = () => owner.post(`/v1/domains/${added.id}/verify`);
    expect(await refusal(verify())).toEqual({ status: 422, code: 'DOMAIN_NOT_PROVEN' });
    for (const wrong of [
      `${added.record.value}x`,
      added.record.value.slice(0, -1),
      added.record.value.toUpperCase(),
      '',
    ]) {
      await names.set(added.record.host, [wrong]);
      expect(await refusal(verify())).toEqual({ status: 422, code: 'DOMAIN_NOT_PROVEN' });
    }
    await names.silence(added.record.host);
    expect(await refusal(verify())).toEqual({ status: 503, code: 'UNAVAILABLE' });
    await names.set(added.record.host, ['another', added.record.value]);
    expect((await verify()).status).toBe(200);
  });

  it('is one organisation’s in the whole installation, until it lets go of it', async () => {
    const theirs = await steppedUp(app, globex);
    const added = await must(
      theirs.post<{ id: string; record: { host: string; value: string } }>('/v1/domains', {
        name: domain.toUpperCase(),
      }),
      201,
    );
    await names.set(added.record.host, [record.value, added.record.value]);
    expect(await refusal(theirs.post(`/v1/domains/${added.id}/verify`))).toEqual({
      status: 409,
      code: 'DOMAIN_TAKEN',
    });
    const [mine] = [await verifiedDomain(owner, names)];
    expect(await refusal(theirs.delete(`/v1/domains/${mine.id}`))).toMatchObject({ status: 404 });
    const next = await must(
      theirs.post<{ id: string; record: { host: string; value: string } }>('/v1/domains', {
        name: mine.name,
      }),
      201,
    );
    await names.set(next.record.host, [next.record.value]);
    expect(await refusal(theirs.post(`/v1/domains/${next.id}/verify`))).toEqual({
      status: 409,
      code: 'DOMAIN_TAKEN',
    });
    expect((await owner.delete(`/v1/domains/${mine.id}`)).status).toBe(204);
    expect((await theirs.post(`/v1/domains/${next.id}/verify`)).status).toBe(200);
  });

  it('leads to where its people sign in, whoever they are, and others nowhere', async () => {
    const anyone = client(app.baseUrl);
    const discover = (email: string) => must(anyone.post<object>('/v1/auth/discover', { email }), 200);
    const known = await discover(`ann@${domain}`);
    expect(known).toEqual({ method: 'sso', startUrl: ssoUrl(app, acme, connection, 'start') });
    expect(await discover(`nobody-at-all@${domain}`)).toEqual(known);
    expect(await discover('ann@elsewhere.example')).toEqual({ method: 'password' });
    expect(await discover(`ann@sub.${domain}`)).toEqual({ method: 'password' });
  });

  it('refuses passwords where it is told to, but those of named owners, whose use is an alert', async () => {
    const person = { email: `pat@${domain}`, password: 'correct horse battery staple 1', role: 'Developer' };
    const boss = { email: `boss@${domain}`, password: 'correct horse battery staple 1', role: 'Owner' };
    await must(acme.api.post('/v1/users', person), 201);
    const { id } = await must(acme.api.post<{ id: string }>('/v1/users', boss), 201);
    const require = (ssoRequired: boolean) => owner.patch(`/v1/domains/${domainId}`, { ssoRequired });
    expect(await refusal(require(true))).toEqual({ status: 422, code: 'SSO_NOT_READY' });
    const viewer = await createPerson(acme.api, 'Viewer');
    expect(await refusal(owner.put('/v1/sso/break-glass', { userIds: [viewer.id] }))).toEqual({
      status: 422,
      code: 'BREAK_GLASS_UNFIT',
    });
    await must(owner.put('/v1/sso/break-glass', { userIds: [id] }), 200);
    await must(require(true), 200);
    const login = ({ email, password }: { email: string; password: string }) =>
      client(app.baseUrl, undefined, { 'x-tenant-slug': acme.slug }).post('/v1/auth/login', {
        email,
        password,
      });
    expect(await refusal(login(person))).toEqual({ status: 403, code: 'SSO_REQUIRED' });
    // Nothing of who there is: a wrong password, and a person there is none of, answer as ever.
    expect(await refusal(login({ ...person, password: 'wrong' }))).toEqual({
      status: 401,
      code: 'SIGN_IN_FAILED',
    });
    expect(await refusal(login({ ...person, email: `nobody@${domain}` }))).toEqual({
      status: 401,
      code: 'SIGN_IN_FAILED',
    });
    expect((await login(boss)).status).toBe(200);
    expect((await lastEvent(acme, 'session.created'))?.changes).toMatchObject({
      method: 'break_glass',
      user: id,
    });
    await eventually(async () => {
      const { items } = await must(
        acme.api.get<{ items: { rule: string; severity: string }[] }>('/v1/alerts?limit=50'),
        200,
      );
      expect(items.map(({ rule, severity }) => [rule, severity])).toContainEqual([
        'sign_in.break_glass',
        'P1',
      ]);
    }, 20_000);
    // Other domains' people use theirs.
    expect((await login(acme.owner)).status).toBe(200);
    expect(await refusal(owner.patch(`/v1/sso/connections/${connection.id}`, { state: 'disabled' }))).toEqual(
      { status: 409, code: 'CONNECTION_NEEDED' },
    );
    expect(await refusal(owner.delete(`/v1/sso/connections/${connection.id}`))).toEqual({
      status: 409,
      code: 'CONNECTION_NEEDED',
    });
    expect(await refusal(owner.put('/v1/sso/break-glass', { userIds: [] }))).toEqual({
      status: 422,
      code: 'SSO_NOT_READY',
    });
    await must(require(false), 200);
    expect((await login(person)).status).toBe(200);
  });
});

describe('the settings of a connection', () => {
  it('are an administrator’s who has proved the password, and nobody else’s', async () => {
    const body = { name: 'x', type: 'oidc', oidc: { issuer: 'https://idp.example', clientId: 'c' } };
    expect(await refusal(acme.api.post('/v1/sso/connections', body))).toEqual({
      status: 403,
      code: 'STEP_UP_NEEDS_SESSION',
    });
    const developer = await steppedUp(app, acme, await createPerson(acme.api, 'Developer'));
    expect(await refusal(developer.post('/v1/sso/connections', body))).toEqual({
      status: 403,
      code: 'PERMISSION_DENIED',
    });
    expect(await refusal(developer.get('/v1/sso/connections'))).toEqual({
      status: 403,
      code: 'PERMISSION_DENIED',
    });
    for (const path of ['', '/setup', '/tests'])
      expect(await refusal(globex.api.get(`/v1/sso/connections/${connection.id}${path}`))).toEqual({
        status: 404,
        code: 'NOT_FOUND',
      });
  });

  it('never say a secret, and say what to paste where', async () => {
    const secret = 'the secret of the client';
    const made = await must(
      owner.post<ConnectionDto>('/v1/sso/connections', {
        name: 'Entra',
        type: 'oidc',
        oidc: {
          provider: 'entra',
          issuer: 'https://login.microsoftonline.com/b5a920d6-7d3c-44fe-baad-4ffed6b8774d/v2.0',
          clientId: 'c',
          clientSecret: secret,
        },
      }),
      201,
    );
    expect(made).toMatchObject({ state: 'draft', highestRole: 'Owner' });
    const read = await must(acme.api.get(`/v1/sso/connections/${made.id}`), 200);
    const events = await must(acme.api.get('/v1/audit/events?limit=20&action=sso_connection.created'), 200);
    for (const shown of [made, read, events]) expect(JSON.stringify(shown)).not.toContain(secret);
    const setup = await must(acme.api.get<SetupDto>(`/v1/sso/connections/${made.id}/setup`), 200);
    expect(setup).toMatchObject({
      guide: 'docs/sso/entra-id.md',
      redirectUri: ssoUrl(app, acme, made, 'callback'),
    });
    expect((await new Browser().get(ssoUrl(app, acme, made, 'start'))).status).toBe(404);
    await must(owner.delete(`/v1/sso/connections/${made.id}`), 204);
  });

  it.each<[string, object, string]>([
    [
      'an issuer of Entra ID for everybody',
      { issuer: 'https://login.microsoftonline.com/common/v2.0', clientId: 'c' },
      '/oidc/issuer',
    ],
    [
      'Google without a Workspace',
      { issuer: 'https://accounts.google.com', clientId: 'c' },
      '/oidc/hostedDomain',
    ],
    ['no client', { issuer: 'https://idp.example' }, '/oidc/clientId'],
    ['an issuer with a query', { issuer: 'https://idp.example?x=1', clientId: 'c' }, '/oidc/issuer'],
  ])('refuse %s, and name the field', async (_name, oidc, pointer) => {
    const { status, body } = await owner.post<{ errors: { pointer: string }[] }>('/v1/sso/connections', {
      name: 'x',
      type: 'oidc',
      oidc,
    });
    expect([status, body.errors.map((error) => error.pointer)]).toEqual([400, [pointer]]);
  });

  it('reach no address of the operator’s own network', async () => {
    const url = 'http://169.254.169.254/latest/meta-data';
    const saml = owner.post('/v1/sso/connections', { name: 'x', type: 'saml', saml: { metadataUrl: url } });
    expect(await refusal(saml)).toEqual({ status: 422, code: 'PROVIDER_UNREACHABLE' });
    const made = await must(
      owner.post<ConnectionDto>('/v1/sso/connections', {
        name: 'x',
        type: 'oidc',
        oidc: { issuer: url, clientId: 'c' },
      }),
      201,
    );
    expect(await refusal(owner.patch(`/v1/sso/connections/${made.id}`, { state: 'active' }))).toEqual({
      status: 422,
      code: 'PROVIDER_UNREACHABLE',
    });
    await must(owner.delete(`/v1/sso/connections/${made.id}`), 204);
  });
});
