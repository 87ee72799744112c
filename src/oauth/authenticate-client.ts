import { Injectable } from '@nestjs/common';
import { AllowedNetworks, namedClient, ShownOnce, TokenTenant } from '../auth/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import {
  auditDetails,
  currentRequest,
  type Actor,
  type RequestTenant,
} from '../platform/http/request-context.js';
import { CheckAssertion, type Assertion } from './check-assertion.js';
import { CheckFederatedToken } from './check-federated-token.js';
import { isAlive } from './client-dto.js';
import { ClientSecrets } from './client-secrets.js';
import { ClientEntity, type ClientFederation } from './client.entity.js';
import type { Form } from './form.js';
import { ClientAddressNotAllowed, ClientRefused, OAuthRequestInvalid } from './oauth.errors.js';

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

interface ShownAssertion {
  readonly by: 'assertion';
  readonly clientId: string;
  /** Whether the form names the client, and not the assertion alone. */
  readonly named: boolean;
  readonly assertion: string;
}

/** What a client shows to prove itself. */
type Shown =
  { readonly by: 'client_secret'; readonly clientId: string; readonly secret: string } | ShownAssertion;

/** A client that has proved who it is. */
export interface ProvenClient {
  readonly tenant: RequestTenant;
  readonly client: ClientEntity;
  readonly actor: Actor;
  /** To be noted in the unit of work of whatever is done for it. @throws {ClientRefused} where it was shown before */
  use(): Promise<void>;
}

/** Authenticates clients: RFC 6749 section 2.3.1, RFC 7523, and tokens of issuers that vouch for them. Whatever is wrong, one answer; the event has the reason. */
@Injectable()
export class AuthenticateClient {
  constructor(
    private readonly tenants: TokenTenant,
    private readonly database: TenantDatabase,
    private readonly secrets: ClientSecrets,
    private readonly assertions: CheckAssertion,
    private readonly federated: CheckFederatedToken,
    private readonly shown: ShownOnce,
  ) {}

  /** @returns undefined where the request shows nothing of a client. @throws {ClientRefused} */
  async execute(form: Form): Promise<ProvenClient | undefined> {
    const shown = this.#shown(form);
    if (!shown) return undefined;
    const named = namedClient(shown.clientId);
    const tenant = await this.tenants.of(named?.tenantHex);
    if (!named || !tenant) throw new ClientRefused('CLIENT_UNKNOWN');
    return this.database.within(tenant, () => this.#prove(tenant, named.id, shown));
  }

  #shown(form: Form): Shown | undefined {
    const credential = currentRequest()?.credential;
    if (credential?.kind === 'malformed') throw new ClientRefused('CLIENT_UNKNOWN');
    const id = form.get('client_id');
    const [secret, assertion] = [form.get('client_secret'), form.get('client_assertion')];
    const basic = credential?.kind === 'client' ? credential : undefined;
    if ([basic, secret, assertion].filter((way) => way !== undefined).length > 1)
      throw new OAuthRequestInvalid('A client proves itself in one way at a time.');
    const found = basic
      ? ({ by: 'client_secret', clientId: basic.id, secret: basic.secret } as const)
      : shownInForm(form, this.assertions, { id, secret, assertion });
    if (found && id !== undefined && id !== found.clientId) throw new ClientRefused('CLIENT_UNKNOWN');
    return found;
  }

  async #prove(tenant: RequestTenant, id: string, shown: Shown): Promise<ProvenClient> {
    const client = await this.database.repository(ClientEntity).findOneBy({ id });
    const proof = await this.#proof(client, id, shown);
    // Told apart only from here on: before, nobody has proved anything.
    if (!client) throw new ClientRefused('CLIENT_UNKNOWN');
    const actor: Actor = {
      type: 'client',
      id,
      tenant: tenant.id,
      roles: [client.role],
      scopes: client.scopes,
    };
    const request = currentRequest();
    if (!request) throw new Error('A client comes with a request.');
    request.actor = actor;
    if (client.status !== 'active') throw new ClientRefused('CLIENT_DISABLED');
    if (!isAlive(client)) throw new ClientRefused('CLIENT_EXPIRED');
    if (client.allowedNetworks && !new AllowedNetworks(client.allowedNetworks).has(request.ip))
      throw new ClientAddressNotAllowed();
    return { tenant, client, actor, use: () => this.#use(id, proof) };
  }

  async #proof(client: ClientEntity | null, id: string, shown: Shown): Promise<Assertion | undefined> {
    if (shown.by === 'assertion') {
      if (client?.federation) return this.#federated(client.id, client.federation, shown);
      if (client?.authentication !== 'private_key_jwt') throw new ClientRefused('CLIENT_ASSERTION_INVALID');
      return this.assertions.execute(client, shown.clientId, shown.assertion);
    }
    const right = await this.secrets.verify(id, shown.secret);
    if (!right) throw new ClientRefused(client ? 'CLIENT_SECRET_WRONG' : 'CLIENT_UNKNOWN');
    return undefined;
  }

  /** It may be shown again, so nothing of it is noted. */
  async #federated(
    id: string,
    federation: ClientFederation,
    { named, assertion }: ShownAssertion,
  ): Promise<undefined> {
    try {
      if (!named) throw new ClientRefused('CLIENT_NOT_NAMED');
      await this.federated.execute(federation, assertion);
    } catch (error) {
      // Whoever administers the client finds by this why it is refused.
      auditDetails({ resource: { type: 'oauth_client', id } });
      throw error;
    }
  }

  async #use(id: string, assertion: Assertion | undefined): Promise<void> {
    if (assertion && !(await this.shown.first('assertion', id, assertion.id, assertion.until)))
      throw new ClientRefused('CLIENT_ASSERTION_SHOWN_BEFORE');
  }
}

function shownInForm(
  form: Form,
  assertions: CheckAssertion,
  { id, secret, assertion }: Readonly<Record<'id' | 'secret' | 'assertion', string | undefined>>,
): Shown | undefined {
  if (assertion !== undefined) {
    if (form.require('client_assertion_type') !== ASSERTION_TYPE)
      throw new OAuthRequestInvalid(`client_assertion_type must be ${ASSERTION_TYPE}.`);
    const clientId = id ?? assertions.claimedClient(assertion) ?? '';
    return { by: 'assertion', clientId, named: id !== undefined, assertion };
  }
  if (secret === undefined) return undefined;
  return { by: 'client_secret', clientId: id ?? '', secret };
}
