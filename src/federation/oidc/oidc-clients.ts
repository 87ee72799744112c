import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import * as client from 'openid-client';
import { ReceiversConfig } from '../../platform/config/index.js';
import { ProviderHttp } from '../../platform/egress/index.js';
import type { OidcConnection } from '../connection.entity.js';
import { ProviderUnreachable } from '../federation.errors.js';
import { unreachable } from '../provider-documents.js';

const KEPT = 1_000;
const KEEP_MS = 10 * 60_000;
const ANSWER_WITHIN_SECONDS = 10;
/** How far clocks may differ. */
const TOLERANCE_SECONDS = 60;

/**
 * Clients of the organisations' providers. What a provider publishes of itself is kept for ten minutes; its keys are not
 * kept at all: they are asked for with each sign-in, so that a key which was replaced a moment ago is known.
 */
@Injectable()
export class OidcClients {
  readonly #published = new LRUCache<string, client.ServerMetadata>({ max: KEPT, ttl: KEEP_MS });

  constructor(
    private readonly http: ProviderHttp,
    private readonly config: ReceiversConfig,
  ) {}

  /** @throws {ProviderUnreachable} */
  async of(connection: OidcConnection): Promise<client.Configuration> {
    const { issuer, clientId } = connection.settings;
    const server = await this.published(issuer);
    const secret = connection.secrets?.reveal().clientSecret;
    const made = new client.Configuration(
      server,
      clientId,
      { [client.clockTolerance]: TOLERANCE_SECONDS },
      authentication(server, secret),
    );
    made[client.customFetch] = this.#fetch;
    made.timeout = ANSWER_WITHIN_SECONDS;
    // The ID token's signature is checked although it comes from the provider over TLS: one check more for whoever reads this.
    client.enableNonRepudiationChecks(made);
    if (this.config.plainHttp) client.allowInsecureRequests(made);
    return made;
  }

  /** What a provider publishes under its issuer, which it must name itself by. @throws {ProviderUnreachable} */
  async published(issuer: string): Promise<client.ServerMetadata> {
    const known = this.#published.get(issuer);
    if (known) return known;
    try {
      const found = await client.discovery(new URL(issuer), 'unused', undefined, client.None(), {
        [client.customFetch]: this.#fetch,
        timeout: ANSWER_WITHIN_SECONDS,
        execute: this.config.plainHttp ? [client.allowInsecureRequests] : [],
      });
      const server = found.serverMetadata();
      if (server.issuer !== issuer)
        throw new ProviderUnreachable('The provider names another issuer than you did.');
      this.#published.set(issuer, server);
      return server;
    } catch (error) {
      throw unreachable(issuer, error);
    }
  }

  /** Whether people could be sent there: asked before a connection becomes active. @throws {ProviderUnreachable} */
  async requireUsable({ settings }: OidcConnection): Promise<void> {
    const server = await this.published(settings.issuer);
    const { authorization_endpoint: authorization, token_endpoint: token, jwks_uri: keys } = server;
    if (authorization === undefined || token === undefined || keys === undefined)
      throw new ProviderUnreachable(
        'The provider publishes no authorization_endpoint, token_endpoint or jwks_uri.',
      );
    const methods = server.code_challenge_methods_supported;
    if (methods && !methods.includes('S256'))
      throw new ProviderUnreachable('The provider does not take PKCE with S256, which is always used.');
    for (const url of [authorization, token, keys])
      if (!this.config.plainHttp && !url.startsWith('https:'))
        throw new ProviderUnreachable('An endpoint of the provider does not begin with https://.');
  }

  readonly #fetch: client.CustomFetch = (url, { method, headers, body, signal }) =>
    this.http.fetch(url, {
      method,
      headers,
      ...(signal && { signal }),
      ...(body !== null && body !== undefined && { body: textOf(body) }),
    });
}

/** As the provider says it wants it; `client_secret_basic` where it says nothing (OpenID Connect Discovery 1.0, section 3). */
function authentication(server: client.ServerMetadata, secret: string | undefined): client.ClientAuth {
  if (secret === undefined) return client.None();
  const methods = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
  return methods.includes('client_secret_basic')
    ? client.ClientSecretBasic(secret)
    : client.ClientSecretPost(secret);
}

function textOf(body: client.FetchBody): string {
  if (typeof body === 'string') return body;
  if (body instanceof URLSearchParams) return body.toString();
  throw new TypeError('A request to a provider has a body of text.');
}
