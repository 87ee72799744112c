import { X509Certificate } from 'node:crypto';
import { AppError } from '../../platform/http/errors.js';
import { HTTP_REDIRECT, DSIG, METADATA, SAMLP } from './names.js';
import { attribute, childrenOf, elementsOf, readXml, type Element } from './safe-xml.js';

/** What of a provider's metadata is used. */
export interface IdpMetadata {
  readonly entityId: string;
  readonly signOnUrl: string;
  readonly logoutUrl?: string;
  readonly certificates: readonly string[];
}

const MOST_CERTIFICATES = 10;
const LEAST_RSA_BITS = 2_048;

export class MetadataInvalid extends AppError {
  readonly kind = 'unprocessable';
  readonly code = 'METADATA_INVALID';
  constructor(what: string, options?: ErrorOptions) {
    super(`The provider's metadata cannot be used: ${what}.`, options);
  }
}

/** Reads metadata (SAML 2.0 Metadata, section 2) of one provider. @throws {MetadataInvalid} */
export function readMetadata(xml: string): IdpMetadata {
  const root = rootOf(xml);
  const [descriptor, ...others] = childrenOf(root, METADATA, 'IDPSSODescriptor');
  if (!descriptor || others.length > 0) throw new MetadataInvalid('it has not exactly one IDPSSODescriptor');
  const entityId = attribute(root, 'entityID');
  const signOnUrl = location(descriptor, 'SingleSignOnService', [HTTP_REDIRECT]);
  if (entityId === undefined) throw new MetadataInvalid('it has no entityID');
  if (signOnUrl === undefined) throw new MetadataInvalid('it has no SingleSignOnService with HTTP-Redirect');
  const certificates = signingCertificates(descriptor);
  const logoutUrl = location(descriptor, 'SingleLogoutService', [HTTP_REDIRECT]);
  return { entityId, signOnUrl, certificates, ...(logoutUrl !== undefined && { logoutUrl }) };
}

/** A certificate as PEM, whose key is one that signatures can be believed by. @throws {MetadataInvalid} */
export function signingCertificate(text: string): string {
  const base64 = text.replace(/-----(BEGIN|END) CERTIFICATE-----/g, '').replace(/\s+/g, '');
  const certificate = parsed(base64);
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = certificate.publicKey;
  if (type === 'rsa' ? (details?.modulusLength ?? 0) < LEAST_RSA_BITS : type !== 'ec')
    throw new MetadataInvalid(
      `a certificate has neither an RSA key of ${LEAST_RSA_BITS} bits nor one of ECDSA`,
    );
  return certificate.toString();
}

function parsed(base64: string): X509Certificate {
  try {
    return new X509Certificate(Buffer.from(base64, 'base64'));
  } catch (cause) {
    throw new MetadataInvalid('a certificate is none', { cause });
  }
}

function rootOf(xml: string): Element {
  try {
    const root = readXml(xml, { comments: true });
    if (root.namespaceURI === METADATA && root.localName === 'EntityDescriptor') return root;
  } catch (cause) {
    throw new MetadataInvalid('it is not XML without a document type', { cause });
  }
  throw new MetadataInvalid('it is not the EntityDescriptor of one provider');
}

function location(descriptor: Element, name: string, bindings: readonly string[]): string | undefined {
  const found = childrenOf(descriptor, METADATA, name).find((one) =>
    bindings.includes(attribute(one, 'Binding') ?? ''),
  );
  return found && attribute(found, 'Location');
}

function signingCertificates(descriptor: Element): string[] {
  const supports = attribute(descriptor, 'protocolSupportEnumeration')?.split(/\s+/) ?? [];
  if (!supports.includes(SAMLP)) throw new MetadataInvalid('the provider does not speak SAML 2.0');
  const texts = childrenOf(descriptor, METADATA, 'KeyDescriptor')
    .filter((key) => (attribute(key, 'use') ?? 'signing') === 'signing')
    .flatMap((key) => elementsOf(key))
    .filter(({ namespaceURI, localName }) => namespaceURI === DSIG && localName === 'X509Certificate')
    .map(({ textContent }) => textContent ?? '');
  const certificates = [...new Set(texts.map(signingCertificate))];
  if (certificates.length === 0)
    throw new MetadataInvalid('it names no certificate to check signatures with');
  if (certificates.length > MOST_CERTIFICATES) throw new MetadataInvalid('it names too many certificates');
  return certificates;
}
