import { importJWK, type JWK } from 'jose';
import { CALLERS_ALGORITHMS } from '../auth/index.js';
import { InvalidRequest } from '../platform/http/errors.js';
import { isWeakRsaKey } from './weak-rsa-key.js';

const SHORTEST_RSA_BITS = 2_048;
const LONGEST_TEXT = 1_400;
/** What of each kind of key is public; whatever else there is, is not kept. */
const PUBLIC_MEMBERS = new Map([
  ['RSA', ['n', 'e']],
  ['EC', ['crv', 'x', 'y']],
  ['OKP', ['crv', 'x']],
]);
const ALGORITHM_OF = new Map([
  ['RSA', 'PS256'],
  ['P-256', 'ES256'],
  ['P-384', 'ES384'],
  ['P-521', 'ES512'],
  ['Ed25519', 'EdDSA'],
]);
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

/** Keys as they are kept, where they may be taken. @throws {InvalidRequest} */
export async function publicKeysOf(given: readonly object[]): Promise<JWK[]> {
  const keys: JWK[] = [];
  for (const [at, key] of given.entries()) {
    const detail = await unfit(key as Record<string, unknown>, keys);
    if (detail) throw new InvalidRequest([{ pointer: `/publicKeys/${at}`, detail }]);
    keys.push(keptOf(key as Record<string, unknown>));
  }
  return keys;
}

async function unfit(key: Record<string, unknown>, before: readonly JWK[]): Promise<string | undefined> {
  if (PRIVATE_MEMBERS.some((name) => Object.hasOwn(key, name)))
    return 'has a private part: keep that to yourself, make a new key and send the public part of it';
  const kept = keptOf(key);
  if (Object.values(kept).some((value) => typeof value !== 'string' || value.length > LONGEST_TEXT))
    return 'must be a public key of RFC 7517, RSA, EC or Ed25519';
  const { kid, alg } = kept;
  if (before.some((other) => other.kid === kid)) return 'must have a kid of its own';
  if (alg !== undefined && !CALLERS_ALGORITHMS.includes(alg))
    return `must be for one of ${CALLERS_ALGORITHMS.join(', ')}`;
  if (key['use'] !== undefined && key['use'] !== 'sig') return 'must be for signatures (use: sig)';
  const operations = key['key_ops'];
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify')))
    return 'must be for verifying (key_ops: ["verify"])';
  if (kept.kty === 'RSA' && Buffer.from(kept.n ?? '', 'base64url').length * 8 < SHORTEST_RSA_BITS)
    return `must have ${SHORTEST_RSA_BITS} bits at least`;
  if (kept.kty === 'RSA' && isWeakRsaKey(kept)) return 'is known to be weak: make a new key';
  return importJWK(kept, alg ?? ALGORITHM_OF.get(kept.crv ?? kept.kty ?? '')).then(
    () => undefined,
    () => 'must be a public key of RFC 7517, RSA, EC or Ed25519',
  );
}

function keptOf(key: Record<string, unknown>): JWK {
  const kty = String(key['kty']);
  const members = ['kid', 'alg', ...(PUBLIC_MEMBERS.get(kty) ?? [])].filter(
    (name) => key[name] !== undefined,
  );
  return { kty, ...Object.fromEntries(members.map((name) => [name, key[name]])) };
}
