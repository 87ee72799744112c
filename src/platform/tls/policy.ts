import { constants } from 'node:crypto';
import { createSecureContext, type SecureContextOptions, type SecureVersion } from 'node:tls';

export type MinimumVersion = '1.2' | '1.3';

/**
 * Ephemeral keys and authenticated encryption, nothing else. TLS 1.3 has only such suites (RFC 8446, B.4); of 1.2 these
 * are the ones that RFC 9325 section 4.2 recommends, and ChaCha20-Poly1305 (RFC 7905).
 */
const CIPHERS = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  // 112 bits at least: no RSA key below 2048 bits, no signature with SHA-1.
  '@SECLEVEL=2',
].join(':');

/** The hybrid first: what is recorded today stays secret when X25519 is broken. Node 24 has it, Node 22 does not. */
const HYBRID = 'X25519MLKEM768';
const CURVES = 'X25519:P-256:P-384';

/**
 * No renegotiation. No tickets: they are encrypted under a key that lives as long as the process, so that it would open
 * recorded sessions; and a resumed session is not held against a certificate or an authority that has changed since.
 */
const OPTIONS =
  constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_COMPRESSION;

/** How every TLS connection of this program is made, whichever side it is on. */
export function tlsPolicy(minimum: MinimumVersion): SecureContextOptions {
  const minVersion: SecureVersion = `TLSv${minimum}`;
  return {
    minVersion,
    maxVersion: 'TLSv1.3',
    ciphers: CIPHERS,
    ecdhCurve: groups(),
    honorCipherOrder: true,
    secureOptions: OPTIONS,
  };
}

let known: string | undefined;

function groups(): string {
  known ??= isKnown(HYBRID) ? `${HYBRID}:${CURVES}` : CURVES;
  return known;
}

function isKnown(group: string): boolean {
  try {
    createSecureContext({ ecdhCurve: group });
    return true;
  } catch {
    return false;
  }
}
