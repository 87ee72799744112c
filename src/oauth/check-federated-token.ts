import { Injectable } from '@nestjs/common';
import { decodeJwt, decodeProtectedHeader, errors, jwtVerify, type JWTPayload } from 'jose';
import { CALLERS_ALGORITHMS } from '../auth/index.js';
import { AppError } from '../platform/http/errors.js';
import type { ClientFederation } from './client.entity.js';
import { IssuerKeys } from './issuer-keys.js';
import { ClientRefused, type ClientRefusal } from './oauth.errors.js';

/** Issuers give a day at most to what they hand out by themselves; a token for a year is a secret that nobody rotates. */
const LONGEST_LIFE_SECONDS = 86_400;
const TOLERANCE_SECONDS = 30;
/** Entra ID and GitHub say `JWT`, Kubernetes nothing. Our own access tokens, and those of others (`at+jwt`), are none. */
const TYPES = new Set([undefined, 'jwt']);

/**
 * Tokens by which an issuer vouches for a workload: RFC 7523 section 3, where it is not the client itself that signs. Such a
 * token may be shown until it ends: a workload finds it in a file, and has no other before.
 */
@Injectable()
export class CheckFederatedToken {
  constructor(private readonly keys: IssuerKeys) {}

  /** @throws {ClientRefused | IssuerUnreachable} */
  async execute(federation: ClientFederation, token: string): Promise<void> {
    // Looked at first, so that nobody makes us ask for keys but with a token that is for this very client.
    const refusal = refusalBefore(federation, token);
    if (refusal) throw new ClientRefused(refusal);
    const { issuer, subject, audience } = federation;
    await jwtVerify(token, (header) => this.keys.find(issuer, header), {
      algorithms: CALLERS_ALGORITHMS,
      issuer,
      subject,
      audience,
      clockTolerance: TOLERANCE_SECONDS,
      requiredClaims: ['exp'],
    }).catch((cause: unknown) => {
      if (cause instanceof AppError) throw cause;
      const unknown = cause instanceof errors.JWKSNoMatchingKey;
      throw new ClientRefused(unknown ? 'CLIENT_TOKEN_KEY' : 'CLIENT_TOKEN_INVALID', { cause });
    });
  }
}

/** What can be said before the signature is looked at; it makes nothing good. */
function refusalBefore(
  { issuer, subject, audience }: ClientFederation,
  token: string,
): ClientRefusal | undefined {
  const said = decoded(token);
  if (!said) return 'CLIENT_TOKEN_INVALID';
  const { iss, sub, aud } = said;
  if (iss !== issuer) return 'CLIENT_TOKEN_ISSUER';
  if (sub !== subject) return 'CLIENT_TOKEN_SUBJECT';
  // One that is meant for others as well could be shown here by them.
  const [meant, ...others] = [aud].flat();
  if (meant !== audience || others.length > 0) return 'CLIENT_TOKEN_AUDIENCE';
  return isOfNow(said) ? undefined : 'CLIENT_TOKEN_TIME';
}

function decoded(token: string): JWTPayload | undefined {
  try {
    const { alg = '', typ } = decodeProtectedHeader(token);
    const known = CALLERS_ALGORITHMS.includes(alg) && TYPES.has(typ?.toLowerCase());
    return known ? decodeJwt(token) : undefined;
  } catch {
    return undefined;
  }
}

function isOfNow({ exp, iat = 0, nbf = 0 }: JWTPayload): boolean {
  const now = Date.now() / 1_000;
  return (
    typeof exp === 'number' &&
    exp > now - TOLERANCE_SECONDS &&
    exp <= now + LONGEST_LIFE_SECONDS + TOLERANCE_SECONDS &&
    [iat, nbf].every((since) => typeof since === 'number' && since <= now + TOLERANCE_SECONDS)
  );
}
