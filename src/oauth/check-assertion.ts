import { Injectable } from '@nestjs/common';
import { decodeJwt, importJWK, jwtVerify, type JWTPayload } from 'jose';
import { CALLERS_ALGORITHMS } from '../auth/index.js';
import { AuthConfig } from '../platform/config/index.js';
import type { ClientEntity } from './client.entity.js';
import { ClientRefused } from './oauth.errors.js';

/** An assertion is made for its request: one that is good for longer is refused, and need not be remembered. */
const LONGEST_LIFE_SECONDS = 600;
const TOLERANCE_SECONDS = 30;
const LONGEST_ID = 256;
const TYPES = new Set([undefined, 'jwt', 'client-authentication+jwt']);

/** An assertion that was verified, and not noted yet. */
export interface Assertion {
  readonly id: string;
  readonly until: Date;
}

/** Assertions by which a client proves that it has its private key: RFC 7523 section 3. */
@Injectable()
export class CheckAssertion {
  readonly #audiences: readonly string[];

  constructor({ issuer }: AuthConfig) {
    this.#audiences = [issuer, `${issuer.replace(/\/$/, '')}/oauth/token`];
  }

  /** Who it says that it is of; not verified. */
  claimedClient(assertion: string): string | undefined {
    try {
      const { sub } = decodeJwt(assertion);
      return typeof sub === 'string' ? sub : undefined;
    } catch {
      return undefined;
    }
  }

  /** @param clientId the client as OAuth names it. @throws {ClientRefused} */
  async execute(client: ClientEntity, clientId: string, assertion: string): Promise<Assertion> {
    let cause: unknown;
    for (const key of client.publicKeys ?? []) {
      try {
        return this.#meant(await this.#verified(key, clientId, assertion));
      } catch (error) {
        if (error instanceof ClientRefused) throw error;
        cause = error;
      }
    }
    throw new ClientRefused('CLIENT_ASSERTION_INVALID', { cause });
  }

  async #verified(
    key: NonNullable<ClientEntity['publicKeys']>[number],
    clientId: string,
    assertion: string,
  ): Promise<JWTPayload> {
    const { payload, protectedHeader } = await jwtVerify(
      assertion,
      ({ alg, kid }) => {
        if (kid !== undefined && key.kid !== undefined && kid !== key.kid) throw new Error('another key');
        // A key says what it is for, where it says so.
        if (key.alg !== undefined && key.alg !== alg) throw new Error('another algorithm');
        return importJWK(key, alg);
      },
      {
        algorithms: CALLERS_ALGORITHMS,
        issuer: clientId,
        subject: clientId,
        clockTolerance: TOLERANCE_SECONDS,
        requiredClaims: ['aud', 'exp', 'jti'],
      },
    );
    if (!TYPES.has(protectedHeader.typ?.toLowerCase())) throw new Error('another type of token');
    return payload;
  }

  /** One that is meant for others as well could be shown here by them. */
  #meant({ aud, exp = 0, iat, jti }: JWTPayload): Assertion {
    const [audience, ...others] = [aud].flat();
    const now = Date.now() / 1_000;
    const meant =
      others.length === 0 &&
      audience !== undefined &&
      this.#audiences.includes(audience) &&
      exp - now <= LONGEST_LIFE_SECONDS + TOLERANCE_SECONDS &&
      (iat === undefined || iat - now <= TOLERANCE_SECONDS) &&
      typeof jti === 'string' &&
      jti !== '' &&
      jti.length <= LONGEST_ID;
    if (!meant) throw new ClientRefused('CLIENT_ASSERTION_INVALID');
    return { id: jti, until: new Date((exp + TOLERANCE_SECONDS + 1) * 1_000) };
  }
}
