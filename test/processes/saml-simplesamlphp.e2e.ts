import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MeDto } from '../../src/auth/auth.dto.js';
import type { ConnectionDto } from '../../src/federation/connections.dto.js';
import { startFakeNameServer, type OwnNameServer } from '../fakes/name-server.js';
import { decode } from '../fakes/saml-idp.js';
import { startApplication, type Application } from '../support/application.js';
import { Browser, type Page } from '../support/browser.js';
import { client, must } from '../support/client.js';
import { haveSimpleSamlPhp, SimpleSamlPhp, type AnswerOptions } from '../support/simplesamlphp.js';
import { activeConnection, lastEvent, ssoUrl, steppedUp, verifiedDomain } from '../support/single-sign-on.js';
import { createTenant, type TestTenant } from '../support/tenants.js';

const PASSWORD = 'of this test alone';

describe.skipIf(!(await haveSimpleSamlPhp()))("a sign-in through Debian's SimpleSAMLphp", () => {
  let app: Application;
  let names: OwnNameServer;
  let provider: SimpleSamlPhp;
  let acme: TestTenant;
  let globex: TestTenant;
  let domain: string;
  let connection: ConnectionDto;
  let others: ConnectionDto;

  beforeAll(async () => {
    names = await startFakeNameServer();
    app = await startApplication({
      env: { IDENTITY_PROVIDERS_ALLOW: '127.0.0.0/8,::1/128', DNS_SERVERS: names.server },
    });
    Object.assign(app, { baseUrl: app.baseUrl.replace('127.0.0.1', 'localhost') });
    [acme, globex] = [await createTenant(app), await createTenant(app)];
    const [owner, neighbour] = [await steppedUp(app, acme), await steppedUp(app, globex)];
    ({ name: domain } = await verifiedDomain(owner, names));
    provider = await SimpleSamlPhp.start([
      {
        name: 'ann',
        password: PASSWORD,
        attributes: { email: [`ann@${domain}`], name: ['Ann'], groups: ['staff', 'builders'] },
      },
    ]);
    const connect = (session: typeof owner): Promise<ConnectionDto> =>
      activeConnection(session, {
        type: 'saml',
        saml: { metadataUrl: provider.metadataUrl },
        provisioning: true,
        roles: {
          rules: [{ claim: 'groups', value: 'builders', role: 'Developer' }],
          defaultRole: 'Viewer',
          everySignIn: false,
        },
      });
    [connection, others] = [await connect(owner), await connect(neighbour)];
  });
  afterAll(async () => {
    await app.dispose();
    await Promise.all([names.close(), provider.stop()]);
  });

  async function register(options: AnswerOptions = {}): Promise<void> {
    const entityId = ssoUrl(app, acme, connection, 'metadata');
    const metadata = await (await fetch(entityId)).text();
    const certificate = /<ds:X509Certificate>([^<]+)</.exec(metadata)?.[1] ?? '';
    await provider.register({ entityId, acsUrl: ssoUrl(app, acme, connection, 'acs'), certificate }, options);
  }

  /** As a person would: to the provider, its form filled in, and what it answers with. */
  async function answered(browser: Browser, password = PASSWORD): Promise<Page> {
    const { location = '' } = await browser.get(ssoUrl(app, acme, connection, 'start'));
    const form = await browser.follow(location, (url) => url.startsWith(provider.url));
    expect(form.status).toBe(200);
    const state = /name="AuthState" value="([^"]+)"/.exec(String(form.body))?.[1] ?? '';
    const page = await browser.post(`${provider.url}/module.php/core/loginuserpass.php`, {
      username: 'ann',
      password,
      AuthState: state.replaceAll('&amp;', '&').replaceAll('&#039;', "'"),
    });
    return page.location === undefined ? page : browser.get(page.location);
  }

  function fieldsOf(page: Page): Record<string, string> {
    const html = String(page.body);
    const field = (name: string): string =>
      new RegExp(`name="${name}" value="([^"]*)"`).exec(html)?.[1]?.replaceAll('&amp;', '&') ?? '';
    return { SAMLResponse: field('SAMLResponse'), RelayState: field('RelayState') };
  }

  const acs = (
    browser: Browser,
    fields: Record<string, string>,
    of = connection,
    tenant = acme,
  ): Promise<Page> => browser.post(ssoUrl(app, tenant, of, 'acs'), fields);

  it.each<[string, AnswerOptions]>([
    ['with response and assertion signed', {}],
    ['with the assertion alone signed', { signResponse: false }],
    ['with the response alone signed', { signAssertion: false }],
    ['with an encrypted assertion', { encryptAssertion: true }],
  ])('opens a session, %s', async (_how, options) => {
    await register(options);
    const browser = new Browser();
    const fields = fieldsOf(await answered(browser));
    const xml = decode(fields['SAMLResponse'] ?? '');
    expect(xml.includes('EncryptedAssertion')).toBe(options.encryptAssertion === true);
    const page = await acs(browser, fields);
    expect({ status: page.status, location: page.location, body: page.body }).toMatchObject({ status: 302 });
    const session = client(app.baseUrl, undefined, {
      cookie: browser.cookies(app.baseUrl),
      'user-agent': 'node',
    });
    const me = await must(session.get<MeDto>('/v1/me'), 200);
    expect(me).toMatchObject({
      user: { email: `ann@${domain}`, role: 'Developer' },
      tenant: { id: acme.id },
    });
    // Shown again it is nothing, here or to the neighbour who trusts the same provider.
    expect((await acs(browser, fields)).status).toBe(401);
    expect((await acs(browser, fields, others, globex)).status).toBe(401);
  });

  it('opens none with a wrong password, or for what was changed on the way', async () => {
    await register();
    const browser = new Browser();
    expect(String((await answered(browser, 'wrong')).body)).not.toContain('SAMLResponse');
    const fields = fieldsOf(await answered(browser));
    const xml = decode(fields['SAMLResponse'] ?? '').replace('>builders<', '>admins<');
    const changed = { ...fields, SAMLResponse: Buffer.from(xml).toString('base64') };
    expect((await acs(browser, changed)).status).toBe(401);
    expect((await lastEvent(acme, 'session.created'))?.reason).toBe('SAML_SIGNATURE_INVALID');
  });
});
