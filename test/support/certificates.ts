import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { dirname, join } from 'node:path';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
  type X509Certificate,
} from '@peculiar/x509';

type Kind = 'rsa' | 'ecdsa';

const ALGORITHMS = {
  rsa: {
    name: 'RSASSA-PKCS1-v1_5',
    hash: 'SHA-256',
    publicExponent: new Uint8Array([1, 0, 1]),
    modulusLength: 2_048,
  },
  ecdsa: { name: 'ECDSA', hash: 'SHA-256', namedCurve: 'P-256' },
} as const;

/** A certificate with its private key, as PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

export interface Wanted {
  readonly commonName: string;
  readonly usage: 'server' | 'client';
  readonly kind?: Kind;
  readonly modulusLength?: number;
  /** What a server is called; localhost and 127.0.0.1 by default. */
  readonly hosts?: readonly string[];
  /** From when; now, less a minute, by default. */
  readonly from?: Date;
  /** Until when; a day from now by default. */
  readonly until?: Date;
}

/** An authority that lives as long as a test. */
export class TestAuthority {
  readonly ca: string;
  readonly #certificate: X509Certificate;
  readonly #keys: webcrypto.CryptoKeyPair;

  private constructor(certificate: X509Certificate, keys: webcrypto.CryptoKeyPair) {
    this.#certificate = certificate;
    this.#keys = keys;
    this.ca = pem(certificate);
  }

  static async create(name = 'Test authority'): Promise<TestAuthority> {
    const keys = await generate(ALGORITHMS.ecdsa);
    const certificate = await X509CertificateGenerator.createSelfSigned({
      name: `CN=${name}`,
      serialNumber: serial(),
      notBefore: new Date(Date.now() - 3_600_000),
      notAfter: new Date(Date.now() + 365 * 86_400_000),
      signingAlgorithm: ALGORITHMS.ecdsa,
      keys,
      extensions: [
        new BasicConstraintsExtension(true, 1, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      ],
    });
    return new TestAuthority(certificate, keys);
  }

  async issue(wanted: Wanted): Promise<KeyPair> {
    const { modulusLength = 2_048 } = wanted;
    const kind = ALGORITHMS[wanted.kind ?? 'ecdsa'];
    const keys = await generate(wanted.kind === 'rsa' ? { ...kind, modulusLength } : kind);
    const usage = wanted.usage === 'server' ? ExtendedKeyUsage.serverAuth : ExtendedKeyUsage.clientAuth;
    const certificate = await X509CertificateGenerator.create({
      subject: `CN=${wanted.commonName}`,
      issuer: this.#certificate.subject,
      serialNumber: serial(),
      notBefore: wanted.from ?? new Date(Date.now() - 60_000),
      notAfter: wanted.until ?? new Date(Date.now() + 86_400_000),
      signingAlgorithm: ALGORITHMS.ecdsa,
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment, true),
        new ExtendedKeyUsageExtension([usage]),
        ...(wanted.usage === 'server' ? [names(wanted.hosts ?? ['localhost', '127.0.0.1'])] : []),
      ],
    });
    const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
    return { cert: pem(certificate), key: `${PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n` };
  }
}

function names(hosts: readonly string[]): SubjectAlternativeNameExtension {
  return new SubjectAlternativeNameExtension(
    hosts.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })),
  );
}

function generate(
  algorithm: webcrypto.RsaHashedKeyGenParams | webcrypto.EcKeyGenParams,
): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

function pem(certificate: X509Certificate): string {
  return `${certificate.toString('pem')}\n`;
}

/** Positive, and never the same twice. */
function serial(): string {
  return `01${randomBytes(15).toString('hex')}`;
}

/** Writes files as an agent that renews certificates does it: each whole, by a rename. */
export async function place(dir: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(dir, name);
    await mkdir(dirname(path), { recursive: true });
    const temporary = `${path}.${randomBytes(4).toString('hex')}`;
    await writeFile(temporary, content, { mode: 0o600 });
    await rename(temporary, path);
  }
}
