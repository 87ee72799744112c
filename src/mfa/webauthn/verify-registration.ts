import { verifyRegistrationResponse } from '@simplewebauthn/server';
import { decodeAttestationObject } from '@simplewebauthn/server/helpers';
import type { SecondFactorRules } from '../../platform/http/tenant-rules.js';
import type { StoredCredential } from '../factors.js';
import { FactorRefused } from '../mfa.errors.js';
import { leadsTo } from './attestation-chain.js';
import type { RelyingParty } from './relying-party.js';
import { requireClientData, requireRpId, shownRegistration } from './shown-credential.js';

/** ES256, Ed25519, RS256 (RFC 8812, RFC 9053). */
export const ALGORITHMS = [-7, -8, -257];

export interface CheckedRegistration {
  readonly credential: StoredCredential;
  readonly counter: number;
  readonly userVerified: boolean;
}

/**
 * Checks what a security key has made (WebAuthn Level 3 section 7.1), and what it is, as far as the organisation asks.
 * @throws {FactorRefused}
 */
export async function verifyRegistration(
  body: object,
  { party, challenge, rules }: { party: RelyingParty; challenge: string; rules: SecondFactorRules },
): Promise<CheckedRegistration> {
  const shown = shownRegistration(body);
  const { origin } = party;
  requireClientData(shown.response.clientDataJSON, { type: 'webauthn.create', challenge, origin });
  const checked = await verifyRegistrationResponse({
    response: shown,
    expectedChallenge: challenge,
    expectedOrigin: origin,
    expectedRPID: undefined,
    requireUserVerification: false,
    supportedAlgorithmIDs: ALGORITHMS,
  }).catch((error: unknown) => {
    throw new FactorRefused('WEBAUTHN_INVALID', { cause: error });
  });
  if (!checked.verified) throw new FactorRefused('WEBAUTHN_SIGNATURE');
  const { fmt, aaguid, credential, attestationObject, userVerified, credentialBackedUp } =
    checked.registrationInfo;
  const object = decodeAttestationObject(attestationObject);
  requireRpId(object.get('authData'), party.id);
  if (credential.id !== shown.id) throw new FactorRefused('WEBAUTHN_MALFORMED');
  requireModel(rules, { fmt, aaguid, chain: object.get('attStmt').get('x5c') ?? [] });
  return {
    credential: {
      id: credential.id,
      publicKey: Buffer.from(credential.publicKey).toString('base64url'),
      transports: shown.response.transports ?? [],
      aaguid,
      backedUp: credentialBackedUp,
    },
    counter: credential.counter,
    userVerified,
  };
}

/** A key that signs its own attestation says nothing of what it is: its maker has to have signed. */
function requireModel(
  { attestation, allowedAaguids, attestationRoots }: SecondFactorRules,
  { fmt, aaguid, chain }: { fmt: string; aaguid: string; chain: readonly Uint8Array[] },
): void {
  if (attestation === 'none') return;
  if (fmt === 'none' || chain.length === 0) throw new FactorRefused('WEBAUTHN_UNATTESTED');
  if (!leadsTo(attestationRoots, chain, new Date())) throw new FactorRefused('WEBAUTHN_UNTRUSTED_MAKER');
  if (allowedAaguids.length > 0 && !allowedAaguids.includes(aaguid))
    throw new FactorRefused('WEBAUTHN_MODEL');
}
