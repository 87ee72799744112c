import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { decodeProtectedHeader, jwtVerify, SignJWT, type JWTPayload } from 'jose';
import { AuthConfig } from '../platform/config/index.js';
import type { TenantId } from '../platform/database/index.js';
import { UUID_KEY } from '../platform/http/pagination.js';
import { InvalidCredential } from './auth.errors.js';
import { namedClient, publicClientId } from './client-id.js';
import { ALGORITHM, SigningKeys } from './signing-keys.js';

export const ACCESS_TOKEN_SECONDS = 15 * 60;
const AUDIENCE = 'waxell-api';

interface Claims {
  readonly tenant: TenantId;
  readonly epoch: number;
  /** Seconds since 1970. */
  readonly expiresAt: number;
  /** RFC 7638: of the key whose holder alone may show the token (RFC 9449). */
  readonly keyThumbprint?: string | undefined;
}

/** Of a person's session. */
export interface AccessClaims extends Claims {
  readonly kind: 'session';
  readonly userId: string;
  readonly sessionId: string;
}

/** Of a client of the organisation, for itself. */
export interface ClientClaims extends Claims {
  readonly kind: 'client';
  readonly clientId: string;
  /** `jti`. */
  readonly tokenId: string;
  readonly scopes: readonly string[];
}

export type TokenClaims = AccessClaims | ClientClaims;

/** Access tokens: RS256, as RFC 9068 has them, for this API alone; 15 minutes for people. */
@Injectable()
export class AccessTokens {
  constructor(
    private readonly keys: SigningKeys,
    private readonly config: AuthConfig,
  ) {}

  issue({
    tenant,
    userId,
    sessionId,
    epoch,
    keyThumbprint,
  }: Omit<AccessClaims, 'expiresAt' | 'kind'>): Promise<string> {
    const claims = { tenant, sid: sessionId, epoch, ...confirmation(keyThumbprint) };
    return this.#sign(claims, userId, randomUUID(), ACCESS_TOKEN_SECONDS);
  }

  /** @param seconds for so long it lives */
  issueToClient(
    { tenant, clientId, tokenId, scopes, epoch, keyThumbprint }: Omit<ClientClaims, 'expiresAt' | 'kind'>,
    seconds: number,
  ): Promise<string> {
    const subject = publicClientId(tenant, clientId);
    const scope = scopes.join(' ');
    const claims = { tenant, client_id: subject, scope, epoch, ...confirmation(keyThumbprint) };
    return this.#sign(claims, subject, tokenId, seconds);
  }

  async #sign(claims: JWTPayload, subject: string, id: string, seconds: number): Promise<string> {
    const { kid, privateKey } = await this.keys.current();
    return new SignJWT(claims)
      .setProtectedHeader({ alg: ALGORITHM, kid, typ: 'at+jwt' })
      .setIssuer(this.config.issuer)
      .setAudience(AUDIENCE)
      .setSubject(subject)
      .setJti(id)
      .setIssuedAt()
      .setExpirationTime(`${seconds}s`)
      .sign(privateKey);
  }

  /** @throws InvalidCredential for every token that is not ours, not for us, or not valid now */
  async verify(token: string): Promise<TokenClaims> {
    try {
      const verifier = await this.keys.verifier(decodeProtectedHeader(token).kid);
      const { payload } = await jwtVerify(token, verifier, {
        algorithms: [ALGORITHM],
        issuer: this.config.issuer,
        audience: AUDIENCE,
        typ: 'at+jwt',
        requiredClaims: ['sub', 'exp', 'tenant', 'epoch'],
      });
      const claims = 'client_id' in payload ? clientClaims(payload) : sessionClaims(payload);
      if (!claims) throw new InvalidCredential();
      return claims;
    } catch (error) {
      if (isDatabaseError(error)) throw error;
      throw new InvalidCredential({ cause: error });
    }
  }
}

function sessionClaims(payload: JWTPayload): AccessClaims | undefined {
  const { sub, sid } = payload;
  const shared = sharedClaims(payload);
  if (!shared || typeof sub !== 'string' || typeof sid !== 'string') return undefined;
  return { kind: 'session', ...shared, userId: sub, sessionId: sid };
}

function clientClaims(payload: JWTPayload): ClientClaims | undefined {
  const { sub = '', client_id: named, jti = '', scope } = payload;
  const shared = sharedClaims(payload);
  const client = namedClient(sub);
  if (!shared || !client || sub !== named || shared.tenant !== `t_${client.tenantHex}`) return undefined;
  if (!UUID_KEY.test(jti) || typeof scope !== 'string' || 'sid' in payload) return undefined;
  return { kind: 'client', ...shared, clientId: client.id, tokenId: jti, scopes: scope.split(' ') };
}

function sharedClaims({ exp, tenant, epoch, cnf }: JWTPayload): Claims | undefined {
  if (typeof epoch !== 'number' || exp === undefined) return undefined;
  const shared = { tenant: tenant as TenantId, epoch, expiresAt: exp };
  if (cnf === undefined) return shared;
  const { jkt } = (cnf ?? {}) as { jkt?: unknown };
  // Bound to something that we do not know how to ask for: nobody may show it.
  return typeof jkt === 'string' ? { ...shared, keyThumbprint: jkt } : undefined;
}

function confirmation(jkt: string | undefined): { cnf?: { jkt: string } } {
  return jkt === undefined ? {} : { cnf: { jkt } };
}

/** Keys that cannot be read are our fault, not the token's. */
function isDatabaseError(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' && !code.startsWith('ERR_J');
}
