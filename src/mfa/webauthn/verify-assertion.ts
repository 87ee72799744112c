import { hash } from 'node:crypto';
import { verifyAuthenticationResponse } from '@simplewebauthn/server';
import type { AuthenticationResponseJSON } from '@simplewebauthn/server';
import type { Factor } from '../factors.js';
import { FactorRefused } from '../mfa.errors.js';
import type { RelyingParty } from './relying-party.js';
import { requireClientData, requireRpId } from './shown-credential.js';

export interface CheckedAssertion {
  readonly counter: number;
  /** Whether the key has looked at who holds it, by a PIN or a finger. */
  readonly userVerified: boolean;
}

/** By which a credential is found: its id is as long as its maker likes, and names a device for ever. */
export function credentialHash(id: string): Buffer {
  return hash('sha256', Buffer.from(id, 'base64url'), 'buffer');
}

/**
 * Checks what a security key has signed (WebAuthn Level 3 section 7.2). The counter is looked at, and has to be looked at
 * again when it is written: another request may be first.
 * @throws {FactorRefused}
 */
export async function verifyAssertion(
  shown: AuthenticationResponseJSON,
  { counter: before, details: { credential } }: Factor,
  expected: {
    readonly party: RelyingParty;
    readonly challenge: string;
    readonly userVerification: 'required' | 'preferred';
  },
): Promise<CheckedAssertion> {
  const { party, challenge, userVerification } = expected;
  if (credential?.id !== shown.id) throw new FactorRefused('WEBAUTHN_UNKNOWN_CREDENTIAL');
  const { origin } = party;
  requireClientData(shown.response.clientDataJSON, { type: 'webauthn.get', challenge, origin });
  requireRpId(Buffer.from(shown.response.authenticatorData, 'base64url'), party.id);
  const { verified, authenticationInfo } = await verifyAuthenticationResponse({
    response: shown,
    expectedChallenge: challenge,
    expectedOrigin: origin,
    expectedRPID: party.id,
    requireUserVerification: false,
    credential: {
      id: credential.id,
      publicKey: Uint8Array.from(Buffer.from(credential.publicKey, 'base64url')),
      // Judged below, for a reason of its own.
      counter: 0,
    },
  }).catch((error: unknown) => {
    throw new FactorRefused('WEBAUTHN_INVALID', { cause: error });
  });
  if (!verified) throw new FactorRefused('WEBAUTHN_SIGNATURE');
  const { newCounter: counter, userVerified } = authenticationInfo;
  if (userVerification === 'required' && !userVerified) throw new FactorRefused('WEBAUTHN_UNVERIFIED_USER');
  if (!goesOn(before, counter)) throw new FactorRefused('WEBAUTHN_COUNTER');
  return { counter, userVerified };
}

/** Section 6.1.1: a counter that does not rise tells of a copy of the key. Those that do not count say 0 each time. */
function goesOn(before: number, counter: number): boolean {
  return counter > before || (before === 0 && counter === 0);
}
