import type { JWK } from 'jose';

/** FIPS 186-5, appendix A.1.1: an odd exponent above 2^16 (by 1 anybody signs), below 2^256. */
const EXPONENTS = { above: 1n << 16n, below: 1n << 256n };
const GENERATOR = 65_537n;
/** Of the primes below 168 those modulo which not every number is a power of the generator, which tell something. */
const PRIMES = [11n, 13n, 17n, 19n, 37n, 53n, 61n, 71n, 73n, 79n, 97n, 103n, 107n, 109n, 127n, 151n, 157n];
const POWERS = new Map(PRIMES.map((prime) => [prime, powersModulo(prime)]));

/** Whether what an RSA key signs can be forged by whoever knows its public half. */
export function isWeakRsaKey({ n, e }: JWK): boolean {
  const exponent = numberOf(e);
  if (exponent <= EXPONENTS.above || exponent >= EXPONENTS.below || exponent % 2n === 0n) return true;
  return isRoca(numberOf(n));
}

/**
 * Whether the modulus has the form of CVE-2017-15361, whose primes are powers of 65537 modulo small primes, and can be
 * factored: "The Return of Coppersmith's Attack", section 3. Of other moduli about one in 2^28 has it by chance.
 */
function isRoca(modulus: bigint): boolean {
  return PRIMES.every((prime) => POWERS.get(prime)?.has(modulus % prime));
}

function powersModulo(prime: bigint): ReadonlySet<bigint> {
  const powers = new Set<bigint>();
  for (let power = 1n; !powers.has(power); power = (power * GENERATOR) % prime) powers.add(power);
  return powers;
}

function numberOf(text: string | undefined): bigint {
  const bytes = Buffer.from(text ?? '', 'base64url');
  return bytes.length === 0 ? 0n : BigInt(`0x${bytes.toString('hex')}`);
}
