import { createLocalJWKSet, jwtVerify, type JSONWebKeySet, type JWTPayload } from 'jose';
import { Injectable } from '@nestjs/common';
import { ProviderHttp } from '../../platform/egress/index.js';
import type { OidcConnection } from '../connection.entity.js';
import { LogoutTokenInvalid } from '../federation.errors.js';
import { OidcClients } from './oidc-clients.js';

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
/** A token is sent at once; one that is older is no news, and is not remembered for longer either. */
const OLDEST_SECONDS = 600;
const TOLERANCE_SECONDS = 60;
const LARGEST = 16_384;

/** Whose sessions a provider ends. */
export interface LogoutToken {
  readonly issuer: string;
  readonly subject?: string;
  readonly sid?: string;
  readonly jti: string;
  /** It is remembered until then. */
  readonly until: Date;
}

/** Logout tokens of OpenID Connect Back-Channel Logout 1.0, checked as section 2.6 says. */
@Injectable()
export class LogoutTokens {
  constructor(
    private readonly clients: OidcClients,
    private readonly http: ProviderHttp,
  ) {}

  /** @throws {LogoutTokenInvalid} */
  async check({ settings }: OidcConnection, token: unknown): Promise<LogoutToken> {
    if (typeof token !== 'string' || token.length > LARGEST)
      throw new LogoutTokenInvalid('LOGOUT_TOKEN_FORM');
    const keys = createLocalJWKSet(await this.#keys(settings.issuer));
    const { payload, protectedHeader } = await jwtVerify(token, keys, {
      algorithms: ALGORITHMS,
      issuer: settings.issuer,
      audience: settings.clientId,
      clockTolerance: TOLERANCE_SECONDS,
      maxTokenAge: OLDEST_SECONDS,
      requiredClaims: ['iss', 'aud', 'iat', 'jti', 'events'],
    }).catch((cause: unknown) => {
      throw new LogoutTokenInvalid('LOGOUT_TOKEN_SIGNATURE_OR_CLAIMS', { cause });
    });
    // An ID token is signed by the same key for the same client: it must not do.
    const { typ } = protectedHeader;
    if (typ !== undefined && !['logout+jwt', 'application/logout+jwt', 'jwt'].includes(typ.toLowerCase()))
      throw new LogoutTokenInvalid('LOGOUT_TOKEN_TYPE');
    if ('nonce' in payload) throw new LogoutTokenInvalid('LOGOUT_TOKEN_NONCE');
    if (!hasEvent(payload)) throw new LogoutTokenInvalid('LOGOUT_TOKEN_EVENT');
    return tokenOf(payload);
  }

  async #keys(issuer: string): Promise<JSONWebKeySet> {
    try {
      const { jwks_uri: url } = await this.clients.published(issuer);
      if (url === undefined) throw new Error('The provider publishes no keys.');
      const response = await this.http.fetch(url, { headers: { accept: 'application/json' } });
      if (!response.ok) throw new Error(`The keys of the provider: HTTP ${response.status}.`);
      return (await response.json()) as JSONWebKeySet;
    } catch (cause) {
      throw new LogoutTokenInvalid('SSO_PROVIDER_UNREACHABLE', { cause });
    }
  }
}

function hasEvent({ events }: JWTPayload): boolean {
  if (typeof events !== 'object' || events === null || !Object.hasOwn(events, EVENT)) return false;
  const value = (events as Record<string, unknown>)[EVENT];
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function tokenOf({ iss = '', sub, sid, jti, iat = 0 }: JWTPayload): LogoutToken {
  if (typeof jti !== 'string' || jti.length > 1_000) throw new LogoutTokenInvalid('LOGOUT_TOKEN_JTI');
  const named = { subject: textOf(sub), sid: textOf(sid) };
  if (named.subject === undefined && named.sid === undefined)
    throw new LogoutTokenInvalid('LOGOUT_TOKEN_NOBODY');
  const until = new Date((iat + OLDEST_SECONDS + 2 * TOLERANCE_SECONDS) * 1_000);
  return { issuer: iss, jti, until, ...named };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
