import { Injectable } from '@nestjs/common';
import * as client from 'openid-client';
import type { AttemptSecrets } from '../attempts.js';
import type { OidcConnection, OidcSettings } from '../connection.entity.js';
import { SsoFailed } from '../federation.errors.js';
import type { ProvenPerson } from '../proven-person.js';
import { GroupOverage, isElsewhere } from './group-overage.js';
import { oidcSaysSecondFactor } from '../said-second-factor.js';
import { claimsOf, saysEmailVerified } from './oidc-claims.js';
import { OidcClients } from './oidc-clients.js';
import { oidcFailure } from './oidc-failure.js';
import { OIDC_MAPPING } from './oidc-settings.js';

type Tokens = Awaited<ReturnType<typeof client.authorizationCodeGrant>>;
type Payload = Readonly<Record<string, unknown>>;

interface BeginOidc {
  readonly state: string;
  readonly redirectUri: string;
  readonly loginHint?: string;
  /** The person is to sign in again at the provider, whatever session there is. */
  readonly anew: boolean;
}

/** The authorization code flow of OpenID Connect Core 1.0, with PKCE (RFC 7636), state and nonce, always. */
@Injectable()
export class OidcSignIn {
  constructor(
    private readonly clients: OidcClients,
    private readonly overage: GroupOverage,
  ) {}

  /** Where the browser is sent, and what has to be known when it comes back. */
  async begin(
    connection: OidcConnection,
    { state, redirectUri, loginHint, anew }: BeginOidc,
  ): Promise<{ url: string; secrets: AttemptSecrets }> {
    const { settings } = connection;
    const [verifier, nonce] = [client.randomPKCECodeVerifier(), client.randomNonce()];
    const url = client.buildAuthorizationUrl(await this.clients.of(connection), {
      response_type: 'code',
      redirect_uri: redirectUri,
      scope: ['openid', ...settings.scopes].join(' '),
      state,
      nonce,
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      ...(loginHint !== undefined && { login_hint: loginHint }),
      ...(settings.hostedDomain !== undefined && { hd: settings.hostedDomain }),
      ...(anew && { prompt: 'login', max_age: '0' }),
    });
    return { url: url.href, secrets: { verifier, nonce } };
  }

  /**
   * Checks the provider's answer, wholly: `state`, `iss` (RFC 9207), the code with its verifier, and of the ID token
   * signature, issuer, audience, times and nonce.
   * @throws {SsoFailed}
   */
  async finish(
    connection: OidcConnection,
    { answer, state, secrets }: { answer: URL; state: string; secrets: AttemptSecrets },
  ): Promise<ProvenPerson> {
    const { verifier, nonce } = secrets;
    if (verifier === undefined || nonce === undefined) throw new SsoFailed('SSO_STATE_UNKNOWN');
    const configuration = await this.clients.of(connection);
    const tokens = await client
      .authorizationCodeGrant(configuration, answer, {
        pkceCodeVerifier: verifier,
        expectedState: state,
        expectedNonce: nonce,
        idTokenExpected: true,
      })
      .catch((error: unknown) => {
        throw oidcFailure(connection.settings.issuer, error);
      });
    const idToken = tokens.claims();
    if (!idToken || tokens.id_token === undefined) throw new SsoFailed('OIDC_RESPONSE_INVALID');
    requireAccountOf(connection.settings, idToken);
    const payload = await this.#withUserInfo(configuration, connection, tokens, idToken);
    const groups = await this.overage.groups(payload, {
      issuer: connection.settings.issuer,
      accessToken: tokens.access_token,
      claim: connection.mapping.groups,
    });
    const claims = claimsOf(payload);
    return {
      issuer: idToken.iss,
      subject: idToken.sub,
      claims: groups ? { ...claims, [connection.mapping.groups]: groups } : claims,
      secondFactor: oidcSaysSecondFactor(claimsOf(idToken)),
      emailVerified: connection.settings.trustsEmail || saysEmailVerified(payload),
      ...(typeof idToken['sid'] === 'string' && { sid: idToken['sid'] }),
      hint: { idToken: tokens.id_token },
      ...(typeof idToken.auth_time === 'number' && { authenticatedAt: new Date(idToken.auth_time * 1_000) }),
    };
  }

  /** Some providers leave address and groups out of the ID token. What it says itself counts. */
  async #withUserInfo(
    configuration: client.Configuration,
    connection: OidcConnection,
    tokens: Tokens,
    idToken: client.IDToken,
  ): Promise<Payload> {
    const complete = neededOf(connection).every(
      (name) => Object.hasOwn(idToken, name) || isElsewhere(idToken, name),
    );
    if (complete || configuration.serverMetadata().userinfo_endpoint === undefined) return idToken;
    const more = await client
      .fetchUserInfo(configuration, tokens.access_token, idToken.sub)
      .catch((error: unknown) => {
        throw oidcFailure(connection.settings.issuer, error);
      });
    return merged(idToken, more, connection.mapping.email);
  }
}

/** What somebody is judged by: without a claim that a rule looks at they would get the default role, or lose the one that they have. */
function neededOf({ mapping, roles, settings }: OidcConnection): string[] {
  const { email, name, groups } = mapping;
  const chosen = groups === OIDC_MAPPING[settings.provider].groups ? [] : [groups];
  return [email, name, ...chosen, ...roles.rules.map(({ claim }) => claim)];
}

/** Whether an address is verified says whoever said the address. */
function merged(idToken: Payload, more: Payload, email: string): Payload {
  const { email_verified: verified, ...others } = more;
  const fromMore = !Object.hasOwn(idToken, email);
  return { ...others, ...(fromMore && { email_verified: verified }), ...withoutVerified(idToken, fromMore) };
}

function withoutVerified(idToken: Payload, fromMore: boolean): Payload {
  if (!fromMore) return idToken;
  const { email_verified: _, ...others } = idToken;
  return others;
}

/** Google has everybody's accounts, and Entra ID those of every directory. */
function requireAccountOf({ hostedDomain, entraTenantId }: OidcSettings, { hd, tid }: client.IDToken): void {
  if (hostedDomain !== undefined && hd !== hostedDomain) throw new SsoFailed('OIDC_HOSTED_DOMAIN');
  if (entraTenantId !== undefined && tid !== entraTenantId) throw new SsoFailed('OIDC_DIRECTORY');
}
