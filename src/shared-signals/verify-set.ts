import { Injectable } from '@nestjs/common';
import { decodeJwt, decodeProtectedHeader, errors, jwtVerify, type JWTPayload } from 'jose';
import { AppError } from '../platform/http/errors.js';
import { readEvent, type SecurityEvent } from './security-event.js';
import { SetRefused } from './shared-signals.errors.js';
import { TransmitterKeys } from './transmitter-keys.js';
import type { TransmitterRow } from './transmitter-row.js';

const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
/** Transmitters send again what was not taken, for days. What is older is no news: a session lives for a week at most. */
const OLDEST_SECONDS = 7 * 86_400;
const TOLERANCE_SECONDS = 60;
const LONGEST_ID = 1_000;

/** What is read of every request, so that nobody has more taken apart. */
export const LARGEST_SET_BYTES = 65_536;

/** A token whose transmitter has signed it for us. */
export interface VerifiedSet {
  readonly event: SecurityEvent;
  readonly jti: string;
  /** It is remembered until then. */
  readonly until: Date;
}

/** Security event tokens (RFC 8417), checked as RFC 8935 and the Shared Signals Framework 1.0 say. */
@Injectable()
export class VerifySet {
  constructor(private readonly keys: TransmitterKeys) {}

  /** @throws {SetRefused | ServiceUnavailable} */
  async execute(transmitter: TransmitterRow, token: string): Promise<VerifiedSet> {
    requireMeant(transmitter, token);
    const { payload } = await jwtVerify(token, (header) => this.keys.find(transmitter.jwks_uri, header), {
      algorithms: ALGORITHMS,
      issuer: transmitter.issuer,
      audience: transmitter.audience,
      clockTolerance: TOLERANCE_SECONDS,
      maxTokenAge: OLDEST_SECONDS,
      requiredClaims: ['iss', 'aud', 'iat', 'jti', 'events'],
    }).catch((cause: unknown) => {
      throw cause instanceof AppError ? cause : refusalOf(cause);
    });
    return { event: readEvent(payload), ...nameOf(payload) };
  }
}

/** What can be said before the signature is looked at, and in the standard's words. It decides nothing that is not verified after. */
function requireMeant({ issuer, audience }: TransmitterRow, token: string): void {
  const { header, payload } = decoded(token);
  const typ = typeof header.typ === 'string' ? header.typ.toLowerCase() : '';
  // An ID token, or an access token, is signed by the same keys: it must not do.
  if (typ !== 'secevent+jwt' && typ !== 'application/secevent+jwt')
    throw new SetRefused('invalid_request', 'typ of the header must be secevent+jwt.');
  if (!ALGORITHMS.includes(header.alg ?? ''))
    throw new SetRefused('invalid_key', `alg must be one of ${ALGORITHMS.join(', ')}.`);
  if (typeof header.kid !== 'string' || header.kid === '')
    throw new SetRefused('invalid_key', 'kid of the header must name the key.');
  if (payload.iss !== issuer)
    throw new SetRefused('invalid_issuer', 'iss is not the issuer that was registered for this stream.');
  if (![payload.aud].flat().includes(audience))
    throw new SetRefused('invalid_audience', 'aud is not the audience that was registered for this stream.');
}

function decoded(token: string) {
  try {
    return { header: decodeProtectedHeader(token), payload: decodeJwt(token) };
  } catch (cause) {
    throw new SetRefused('invalid_request', 'The body must be a signed JWT in compact form.', { cause });
  }
}

/** The texts of the library name claims and say what is wrong with them; other errors are told in one sentence. */
function refusalOf(cause: unknown): SetRefused {
  if (cause instanceof errors.JWTClaimValidationFailed || cause instanceof errors.JWTExpired)
    return new SetRefused('invalid_request', `A claim is missing or wrong: ${cause.claim}.`, { cause });
  return new SetRefused('invalid_key', 'No key that the transmitter publishes has signed this.', { cause });
}

function nameOf({ jti, iat = 0 }: JWTPayload): { jti: string; until: Date } {
  if (typeof jti !== 'string' || jti === '' || jti.length > LONGEST_ID)
    throw new SetRefused('invalid_request', `jti must be a text of at most ${LONGEST_ID} characters.`);
  return { jti, until: new Date((iat + OLDEST_SECONDS + 2 * TOLERANCE_SECONDS) * 1_000) };
}
