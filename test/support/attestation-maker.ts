import 'reflect-metadata';
import { KeyObject, randomBytes, webcrypto } from 'node:crypto';
import {
  BasicConstraintsExtension,
  Extension,
  X509CertificateGenerator,
  type X509Certificate,
} from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', hash: 'SHA-256', namedCurve: 'P-256' };
/** id-fido-gen-ce-aaguid: the model, in the certificate that signs for it. */
const AAGUID_EXTENSION = '1.3.6.1.4.1.45724.1.1.4';

/** Somebody who makes security keys, and signs for what they are: a root, an intermediate, a certificate for each model. */
export class AttestationMaker {
  readonly root: string;
  readonly #chain: readonly [X509Certificate, X509Certificate];
  readonly #key: webcrypto.CryptoKey;

  private constructor(chain: readonly [X509Certificate, X509Certificate], key: webcrypto.CryptoKey) {
    this.#chain = chain;
    this.#key = key;
    this.root = chain[1].toString('pem');
  }

  static async create(
    name = 'Maker',
    { until = new Date(Date.now() + 86_400_000) } = {},
  ): Promise<AttestationMaker> {
    const [rootKeys, keys] = await Promise.all([newKeys(), newKeys()]);
    const authority = [new BasicConstraintsExtension(true, undefined, true)];
    const valid = {
      notBefore: new Date(Date.now() - 2 * 86_400_000),
      notAfter: until,
      signingAlgorithm: ALGORITHM,
    };
    const root = await X509CertificateGenerator.createSelfSigned({
      ...valid,
      name: `CN=${name} root`,
      serialNumber: serial(),
      keys: rootKeys,
      extensions: authority,
    });
    const intermediate = await X509CertificateGenerator.create({
      ...valid,
      subject: `CN=${name} intermediate`,
      issuer: root.subject,
      serialNumber: serial(),
      publicKey: keys.publicKey,
      signingKey: rootKeys.privateKey,
      extensions: authority,
    });
    return new AttestationMaker([intermediate, root], keys.privateKey);
  }

  /** A certificate of a model (WebAuthn Level 3 section 8.2.1), with what leads to the root, which itself is left out. */
  async issue(aaguid: string): Promise<{ chain: Buffer[]; privateKey: KeyObject }> {
    const keys = await newKeys();
    const [intermediate] = this.#chain;
    const model = Buffer.from(aaguid.replaceAll('-', ''), 'hex');
    const certificate = await X509CertificateGenerator.create({
      subject: 'C=DE, O=Maker, OU=Authenticator Attestation, CN=Key',
      issuer: intermediate.subject,
      serialNumber: serial(),
      notBefore: new Date(Date.now() - 86_400_000),
      notAfter: new Date(Date.now() + 86_400_000),
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey: this.#key,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new Extension(AAGUID_EXTENSION, false, Buffer.concat([Buffer.of(4, 16), model])),
      ],
    });
    const chain = [certificate, intermediate].map(({ rawData }) => Buffer.from(rawData));
    return { chain, privateKey: KeyObject.from(keys.privateKey) };
  }
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

function serial(): string {
  return `01${randomBytes(15).toString('hex')}`;
}
