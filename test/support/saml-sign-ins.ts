import { X509Certificate } from 'node:crypto';
import { inflateRawSync } from 'node:zlib';
import type { DomainDto } from '../../src/domains/domains.dto.js';
import type { ConnectionDto } from '../../src/federation/connections.dto.js';
import { SamlIdp, type ResponseParts } from '../fakes/saml-idp.js';
import { formOf, SamlpProvider } from '../fakes/samlp-provider.js';
import { Browser, type Page } from './browser.js';
import { client, type Client } from './client.js';
import { sharedNames, sharedSite, type RunningApplication } from './shared-application.js';
import {
  activeConnection,
  lastEvent,
  refusedWith,
  ssoUrl,
  steppedUp,
  verifiedDomain,
} from './single-sign-on.js';
import { createTenant, type TestTenant } from './tenants.js';

/** What the provider knows of us by our metadata. */
interface Ours {
  readonly acsUrl: string;
  readonly certificate: string;
}

/** An organisation whose people come by a SAML provider (samlp). */
export class SamlSignIns {
  readonly app = sharedSite();
  readonly #keys: { idp: SamlIdp };

  private constructor(
    keys: { idp: SamlIdp },
    readonly provider: SamlpProvider,
    readonly tenant: TestTenant,
    /** Its Owner, who has just proved the password again. */
    readonly owner: Client,
    readonly domain: DomainDto,
    readonly connection: ConnectionDto,
    readonly our: Ours,
  ) {
    this.#keys = keys;
    this.honest();
  }

  static async begin(): Promise<SamlSignIns> {
    const app = sharedSite();
    const keys = { idp: await SamlIdp.create() };
    const known: { our: Ours } = { our: { acsUrl: '', certificate: '' } };
    const provider = await SamlpProvider.start(
      () => keys.idp,
      () => known.our,
    );
    provider.metadata = keys.idp.metadata(provider.url);
    const tenant = await createTenant(app);
    const owner = await steppedUp(app, tenant);
    const domain = await verifiedDomain(owner, sharedNames());
    const connection = await activeConnection(owner, {
      type: 'saml',
      saml: { metadataUrl: `${provider.url}/metadata` },
      provisioning: true,
      roles: {
        rules: [{ claim: 'groups', value: 'builders', role: 'Developer' }],
        defaultRole: 'Viewer',
        everySignIn: false,
      },
    });
    known.our = {
      acsUrl: ssoUrl(app, tenant, connection, 'acs'),
      certificate: await certificateOf(app, tenant, connection),
    };
    return new SamlSignIns(keys, provider, tenant, owner, domain, connection, known.our);
  }

  end(): Promise<void> {
    return this.provider.close();
  }

  /** Signs as the provider does. */
  get idp(): SamlIdp {
    return this.#keys.idp;
  }

  /** The provider signs with another key from now on, and publishes that one alone; answers the former. */
  async rollOver(): Promise<SamlIdp> {
    const before = this.#keys.idp;
    this.#keys.idp = await SamlIdp.create();
    this.provider.metadata = this.#keys.idp.metadata(this.provider.url);
    return before;
  }

  /** Ann is signed in at the provider, which answers as it did at the start. */
  honest(): void {
    const attributes = { email: this.address('ann'), name: 'Ann', groups: ['staff', 'builders'] };
    this.provider.options = {};
    this.provider.user = { id: 'ann', attributes };
  }

  address(name: string): string {
    return `${name}@${this.domain.name}`;
  }

  /** The connection in the API. */
  get path(): string {
    return `/v1/sso/connections/${this.connection.id}`;
  }

  /** An address of ours for a connection. */
  url(what: string, one: { readonly id: string } = this.connection): string {
    return ssoUrl(this.app, this.tenant, one, what);
  }

  start(browser: Browser): Promise<Page> {
    return browser.get(`${this.url('start')}?returnTo=/agents`);
  }

  /** By way of samlp: what its form would send. */
  async answered(browser: Browser): Promise<Record<string, string>> {
    const { location } = await this.start(browser);
    const page = await browser.get(location ?? '');
    if (page.status !== 200) throw new Error(`The provider has answered ${page.status}.`);
    return formOf(page.body).fields;
  }

  async signIn(browser = new Browser()): Promise<Page> {
    return browser.post(this.our.acsUrl, await this.answered(browser));
  }

  /** What the provider would say of Ann, but for what is given. */
  parts(more: Partial<ResponseParts> = {}): ResponseParts {
    return {
      acsUrl: this.our.acsUrl,
      audience: this.url('metadata'),
      nameId: 'ann',
      attributes: { email: [this.address('ann')] },
      ...more,
    };
  }

  session(browser: Browser): Client {
    const cookie = browser.cookies(this.app.baseUrl);
    return client(this.app.baseUrl, undefined, { cookie, 'user-agent': 'node' });
  }

  refusedWith(page: Page): Promise<string | undefined> {
    return refusedWith(this.tenant, page);
  }

  lastEvent(action: string): ReturnType<typeof lastEvent> {
    return lastEvent(this.tenant, action);
  }
}

/** Of the request that a start leads to: its id, and the state that comes back with the answer. */
export function requestOf(url: string): { id: string; relayState: string; xml: string } {
  const query = new URL(url).searchParams;
  const xml = inflateRawSync(Buffer.from(query.get('SAMLRequest') ?? '', 'base64')).toString();
  return { id: / ID="([^"]+)"/.exec(xml)?.[1] ?? '', relayState: query.get('RelayState') ?? '', xml };
}

async function certificateOf(
  app: RunningApplication,
  tenant: TestTenant,
  connection: ConnectionDto,
): Promise<string> {
  const metadata = await (await fetch(ssoUrl(app, tenant, connection, 'metadata'))).text();
  const base64 = /<ds:X509Certificate>([^<]+)</.exec(metadata)?.[1] ?? '';
  return new X509Certificate(Buffer.from(base64, 'base64')).toString();
}
