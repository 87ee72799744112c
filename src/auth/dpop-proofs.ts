import { hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Request } from 'express';
import { calculateJwkThumbprint, EmbeddedJWK, jwtVerify, type JWTPayload } from 'jose';
import { AuthConfig } from '../platform/config/index.js';
import { DpopProofInvalid } from './auth.errors.js';
import { ShownOnce } from './shown-once.js';

/** Of what callers sign themselves with: asymmetric ones, of which nobody has our half. */
export const CALLERS_ALGORITHMS = ['ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512', 'RS256', 'EdDSA'];
/** A proof is made for its request: it may be so much older, or newer, than our clock says. */
const WINDOW_SECONDS = 60;
const LARGEST = 4_096;
const LONGEST_ID = 256;

/** A proof that was verified, and not noted yet. */
export interface DpopProof {
  /** RFC 7638. */
  readonly keyThumbprint: string;
  readonly id: string;
  readonly until: Date;
}

/** Proofs that a caller has the key that a token is bound to: RFC 9449 section 4.3. */
@Injectable()
export class DpopProofs {
  readonly #base: string;

  constructor(
    config: AuthConfig,
    private readonly shown: ShownOnce,
  ) {
    this.#base = config.issuer.replace(/\/$/, '');
  }

  /**
   * @param token the access token that is shown with it, at a resource
   * @returns undefined where the request has no proof
   * @throws {DpopProofInvalid}
   */
  async read(request: Request, token?: string): Promise<DpopProof | undefined> {
    const proof = request.headers['dpop'];
    if (proof === undefined) return undefined;
    // Node joins several by a comma, which no token has.
    if (typeof proof !== 'string' || proof.length > LARGEST) throw new DpopProofInvalid();
    try {
      const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, {
        typ: 'dpop+jwt',
        algorithms: CALLERS_ALGORITHMS,
        requiredClaims: ['jti', 'htm', 'htu', 'iat'],
      });
      this.#requireMeant(payload, request, token);
      const keyThumbprint = await calculateJwkThumbprint(protectedHeader.jwk ?? {});
      const until = new Date(((payload.iat ?? 0) + WINDOW_SECONDS + 1) * 1_000);
      return { keyThumbprint, id: payload.jti ?? '', until };
    } catch (cause) {
      throw new DpopProofInvalid({ cause });
    }
  }

  /** Notes it in the running transaction. @throws {DpopProofInvalid} where it was shown before */
  async use({ keyThumbprint, id, until }: DpopProof): Promise<void> {
    if (!(await this.shown.first('dpop', keyThumbprint, id, until))) throw new DpopProofInvalid();
  }

  #requireMeant({ jti, htm, htu, iat, ath }: JWTPayload, request: Request, token: string | undefined): void {
    const off = Math.abs(Date.now() / 1_000 - (iat ?? 0));
    const meant =
      typeof jti === 'string' &&
      jti !== '' &&
      jti.length <= LONGEST_ID &&
      off <= WINDOW_SECONDS &&
      htm === request.method &&
      isAddress(htu, this.#base + request.path) &&
      (token === undefined || ath === hash('sha256', token, 'base64url'));
    if (!meant) throw new Error('The proof is for another request, token or time.');
  }
}

/** Query and fragment do not count (section 4.3, 9); the rest is compared as RFC 3986 normalises it. */
function isAddress(htu: unknown, address: string): boolean {
  if (typeof htu !== 'string' || !URL.canParse(htu)) return false;
  const [claimed, own] = [new URL(htu), new URL(address)];
  return claimed.origin === own.origin && claimed.pathname === own.pathname;
}
