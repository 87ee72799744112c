import type { JWTPayload } from 'jose';
import type { TokensDto } from '../../src/auth/auth.dto.js';
import type {
  ConnectionDto,
  CreateConnectionDto,
  RoleMappingDto,
} from '../../src/federation/connections.dto.js';
import { CLIENT, OidcIssuer } from '../fakes/oidc-issuer.js';
import { Browser, type Page } from './browser.js';
import { client, must, type Client } from './client.js';
import { sharedNames, sharedSite } from './shared-application.js';
import {
  activeConnection,
  lastEvent,
  refusedWith,
  ssoUrl,
  steppedUp,
  verifiedDomain,
} from './single-sign-on.js';
import { createTenant, type TestTenant } from './tenants.js';

export const ROLES: RoleMappingDto = {
  rules: [{ claim: 'groups', value: 'builders', role: 'Developer' }],
  defaultRole: 'Viewer',
  everySignIn: true,
};
const JSON_WANTED = { accept: 'application/json' };

/** An organisation whose people come by an OpenID Connect provider, which says what a test wants. */
export class OidcSignIns {
  readonly app = sharedSite();

  private constructor(
    readonly issuer: OidcIssuer,
    readonly tenant: TestTenant,
    /** Its Owner, who has just proved the password again. */
    readonly owner: Client,
    readonly domain: string,
    /** To which each function goes that is told of no other one. */
    readonly connection: ConnectionDto,
  ) {}

  static async begin(more: Partial<CreateConnectionDto> = { roles: ROLES }): Promise<OidcSignIns> {
    const app = sharedSite();
    const [issuer, tenant] = await Promise.all([OidcIssuer.start(), createTenant(app)]);
    const owner = await steppedUp(app, tenant);
    const { name } = await verifiedDomain(owner, sharedNames());
    const connection = await connectionTo(issuer, owner, { provisioning: true, ...more });
    return new OidcSignIns(issuer, tenant, owner, name, connection);
  }

  end(): Promise<void> {
    return this.issuer.close();
  }

  /** Another connection to the same provider. */
  connect(
    session = this.owner,
    more: Partial<CreateConnectionDto> = {},
    settings: object = {},
  ): Promise<ConnectionDto> {
    return connectionTo(this.issuer, session, more, settings);
  }

  /** What the provider says of Ann, but for what is given. */
  ann(more: JWTPayload = {}): JWTPayload {
    return { sub: 'ann', email: this.address('ann'), email_verified: true, name: 'Ann', ...more };
  }

  /** The same of somebody else. */
  somebody(sub: string, more: JWTPayload = {}): JWTPayload {
    return this.ann({ sub, email: this.address(sub), ...more });
  }

  address(name: string): string {
    return `${name}@${this.domain}`;
  }

  /** The connection in the API. */
  get path(): string {
    return `/v1/sso/connections/${this.connection.id}`;
  }

  /** An address of ours for a connection. */
  url(what: string, one: { readonly id: string } = this.connection, tenant = this.tenant): string {
    return ssoUrl(this.app, tenant, one, what);
  }

  start(browser: Browser, one: { readonly id: string } = this.connection): Promise<Page> {
    return browser.get(`${this.url('start', one)}?returnTo=/agents`);
  }

  /** A whole sign-in of a browser; what comes back of it. */
  async attempt(claims: JWTPayload, one = this.connection, browser = new Browser()): Promise<Page> {
    this.issuer.claims = claims;
    const { location } = await this.start(browser, one);
    return browser.get(this.issuer.approve(location ?? ''));
  }

  /** The same of a program, which is answered in JSON. */
  async program(claims: JWTPayload, one = this.connection, browser = new Browser()): Promise<Page> {
    this.issuer.claims = claims;
    const begun = await browser.get(this.url('start', one), JSON_WANTED);
    const { authorizationUrl } = begun.body as { authorizationUrl: string };
    return browser.get(this.issuer.approve(authorizationUrl), JSON_WANTED);
  }

  /** The session of a program that has signed in. */
  async session(claims: JWTPayload, one = this.connection): Promise<Client> {
    const { accessToken } = (await this.program(claims, one)).body as TokensDto;
    return client(this.app.baseUrl, accessToken);
  }

  refusedWith(page: Page): Promise<string | undefined> {
    return refusedWith(this.tenant, page);
  }

  lastEvent(action: string): ReturnType<typeof lastEvent> {
    return lastEvent(this.tenant, action);
  }

  /** Somebody of the organisation with a password. */
  async person(name: string, role: string): Promise<{ id: string; email: string; password: string }> {
    const body = { email: this.address(name), password: 'correct horse battery staple 1', role };
    const { id } = await must(this.tenant.api.post<{ id: string }>('/v1/users', body), 201);
    return { id, email: body.email, password: body.password };
  }
}

function connectionTo(
  { url }: OidcIssuer,
  session: Client,
  more: Partial<CreateConnectionDto>,
  settings: object = {},
): Promise<ConnectionDto> {
  return activeConnection(session, {
    type: 'oidc',
    oidc: { issuer: url, clientId: CLIENT.id, clientSecret: CLIENT.secret, ...settings },
    ...more,
  });
}
