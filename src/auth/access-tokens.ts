import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { decodeProtectedHeader, jwtVerify, SignJWT } from 'jose';
import { AuthConfig } from '../platform/config/index.js';
import type { TenantId } from '../platform/database/index.js';
import { InvalidCredential } from './auth.errors.js';
import { ALGORITHM, SigningKeys } from './signing-keys.js';

export const ACCESS_TOKEN_SECONDS = 15 * 60;
const AUDIENCE = 'waxell-api';

export interface AccessClaims {
  readonly tenant: TenantId;
  readonly userId: string;
  readonly sessionId: string;
  readonly epoch: number;
  /** Seconds since 1970. */
  readonly expiresAt: number;
}

/** Access tokens: RS256, 15 minutes, for this API alone. */
@Injectable()
export class AccessTokens {
  constructor(
    private readonly keys: SigningKeys,
    private readonly config: AuthConfig,
  ) {}

  async issue(claims: Omit<AccessClaims, 'expiresAt'>): Promise<string> {
    const { kid, privateKey } = await this.keys.current();
    return new SignJWT({ tenant: claims.tenant, sid: claims.sessionId, epoch: claims.epoch })
      .setProtectedHeader({ alg: ALGORITHM, kid, typ: 'at+jwt' })
      .setIssuer(this.config.issuer)
      .setAudience(AUDIENCE)
      .setSubject(claims.userId)
      .setJti(randomUUID())
      .setIssuedAt()
      .setExpirationTime(`${ACCESS_TOKEN_SECONDS}s`)
      .sign(privateKey);
  }

  /** @throws InvalidCredential for every token that is not ours, not for us, or not valid now */
  async verify(token: string): Promise<AccessClaims> {
    try {
      const verifier = await this.keys.verifier(decodeProtectedHeader(token).kid);
      const { payload } = await jwtVerify(token, verifier, {
        algorithms: [ALGORITHM],
        issuer: this.config.issuer,
        audience: AUDIENCE,
        typ: 'at+jwt',
        requiredClaims: ['sub', 'exp', 'tenant', 'sid', 'epoch'],
      });
      const { sub, exp, tenant, sid, epoch } = payload;
      if (
        typeof sub !== 'string' ||
        typeof sid !== 'string' ||
        typeof epoch !== 'number' ||
        exp === undefined
      ) {
        throw new InvalidCredential();
      }
      return { tenant: tenant as TenantId, userId: sub, sessionId: sid, epoch, expiresAt: exp };
    } catch (error) {
      if (isDatabaseError(error)) throw error;
      throw new InvalidCredential();
    }
  }
}

/** Keys that cannot be read are our fault, not the token's. */
function isDatabaseError(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' && !code.startsWith('ERR_J');
}
