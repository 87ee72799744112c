import { createSign, randomBytes, X509Certificate } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { SignedXml } from 'xml-crypto';
import xmlenc from 'xml-encryption';
import { newOwnKeys } from '../../src/federation/saml/own-keys.js';

const SAML = 'urn:oasis:names:tc:SAML:2.0:assertion';
const SAMLP = 'urn:oasis:names:tc:SAML:2.0:protocol';
const RSA_SHA256 = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256';
const SHA256 = 'http://www.w3.org/2001/04/xmlenc#sha256';
const C14N = 'http://www.w3.org/2001/10/xml-exc-c14n#';
const ENVELOPED = 'http://www.w3.org/2000/09/xmldsig#enveloped-signature';

export const IDP_ENTITY = 'https://idp.acme.example/saml';

/** Everything that a response says. What is not given is right. */
export interface ResponseParts {
  readonly acsUrl: string;
  readonly audience: string;
  readonly requestId?: string | undefined;
  readonly issuer?: string;
  readonly responseIssuer?: string;
  readonly destination?: string | null;
  readonly recipient?: string;
  readonly subjectInResponseTo?: string | null;
  readonly nameId?: string;
  readonly nameIdFormat?: string;
  readonly attributes?: Readonly<Record<string, readonly string[]>>;
  readonly status?: string;
  /** Seconds from now. */
  readonly from?: number;
  readonly until?: number | null;
  readonly sessionUntil?: number;
  readonly confirmationMethod?: string;
  readonly audiences?: readonly string[];
  readonly withoutAuthentication?: boolean;
  readonly withoutAudience?: boolean;
  readonly sessionIndex?: string;
  readonly assertionId?: string;
  /** How the person has signed in: AuthnContextClassRef. */
  readonly context?: string;
}

export interface SignOptions {
  readonly response?: boolean;
  readonly assertion?: boolean;
  readonly signature?: string;
  readonly digest?: string;
  readonly canonicalization?: string;
  readonly transforms?: readonly string[];
  readonly key?: string;
}

export function newId(): string {
  return `_${randomBytes(16).toString('hex')}`;
}

/** A SAML provider that says whatever a test wants it to: the honest one is `samlp`. */
export class SamlIdp {
  readonly entityId = IDP_ENTITY;
  private constructor(
    readonly privateKey: string,
    readonly certificate: string,
  ) {}

  static async create(): Promise<SamlIdp> {
    const { privateKey, certificate } = await newOwnKeys('idp');
    return new SamlIdp(privateKey, certificate);
  }

  metadata(url: string, certificates: readonly string[] = [this.certificate]): string {
    const keys = certificates.map(
      (pem) =>
        `<KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>${pem.replace(/-----[A-Z ]+-----|\s/g, '')}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></KeyDescriptor>`,
    );
    const service = (name: string, path: string): string =>
      `<${name} Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="${url}${path}"/>`;
    return [
      `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" entityID="${IDP_ENTITY}">`,
      `<IDPSSODescriptor protocolSupportEnumeration="${SAMLP}">${keys.join('')}`,
      service('SingleLogoutService', '/logout'),
      service('SingleSignOnService', '/sso'),
      '</IDPSSODescriptor></EntityDescriptor>',
    ].join('');
  }

  /** The response as XML, signed as said: the assertion alone, if nothing is said. */
  signed(parts: ResponseParts, sign: SignOptions = {}): string {
    let xml = responseOf(parts);
    if (sign.assertion !== false) xml = this.sign(xml, 'Assertion', sign);
    if (sign.response) xml = this.sign(xml, 'Response', sign);
    return xml;
  }

  /** Signs the element of this name, after its issuer. */
  sign(xml: string, name: string, options: SignOptions = {}): string {
    const {
      signature = RSA_SHA256,
      digest = SHA256,
      canonicalization = C14N,
      transforms = [ENVELOPED, C14N],
    } = options;
    const signer = new SignedXml({
      privateKey: options.key ?? this.privateKey,
      publicCert: this.certificate,
      signatureAlgorithm: signature,
      canonicalizationAlgorithm: canonicalization,
    });
    if (signature.endsWith('hmac-sha1')) signer.enableHMAC();
    const element = `//*[local-name(.)='${name}']`;
    signer.addReference({ xpath: element, transforms: [...transforms], digestAlgorithm: digest });
    signer.computeSignature(xml, {
      location: { reference: `${element}/*[local-name(.)='Issuer']`, action: 'after' },
    });
    return signer.getSignedXml();
  }

  /** Replaces the assertion by the same, encrypted to a certificate. */
  async encrypted(
    xml: string,
    certificate: string,
    algorithms: { data?: string; key?: string } = {},
  ): Promise<string> {
    const assertion = /<saml:Assertion.*<\/saml:Assertion>/s.exec(xml)?.[0] ?? '';
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    xmlenc.encrypt(
      assertion,
      {
        // The package's types know fewer algorithms than an attacker names.
        rsa_pub: publicKeyOf(certificate),
        pem: certificate,
        encryptionAlgorithm: (algorithms.data ?? 'http://www.w3.org/2009/xmlenc11#aes256-gcm') as never,
        keyEncryptionAlgorithm: (algorithms.key ??
          'http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p') as never,
        disallowEncryptionWithInsecureAlgorithm: false,
        warnInsecureAlgorithm: false,
      },
      (error: Error | null, result: string) => (error ? reject(error) : resolve(result)),
    );
    return xml.replace(assertion, `<saml:EncryptedAssertion>${await promise}</saml:EncryptedAssertion>`);
  }

  /** A logout request, signed for HTTP-POST. */
  logoutRequest(parts: LogoutParts, sign: SignOptions = {}): string {
    return encode(this.sign(logoutOf(parts), 'LogoutRequest', sign));
  }

  /** The same for HTTP-Redirect: the query. */
  logoutQuery(parts: LogoutParts, algorithm = RSA_SHA256, hash = 'RSA-SHA256'): string {
    const request = encodeURIComponent(deflateRawSync(logoutOf(parts)).toString('base64'));
    const signed = `SAMLRequest=${request}&RelayState=x&SigAlg=${encodeURIComponent(algorithm)}`;
    const signature = createSign(hash).update(signed).sign(this.privateKey, 'base64');
    return `${signed}&Signature=${encodeURIComponent(signature)}`;
  }
}

export interface LogoutParts {
  readonly destination: string;
  readonly nameId: string;
  readonly sessionIndex?: string;
  readonly issuer?: string;
  readonly issuedAt?: number;
}

export function encode(xml: string): string {
  return Buffer.from(xml).toString('base64');
}

export function decode(encoded: string): string {
  return Buffer.from(encoded, 'base64').toString('utf8');
}

function logoutOf({
  destination,
  nameId,
  sessionIndex,
  issuer = IDP_ENTITY,
  issuedAt = 0,
}: LogoutParts): string {
  return [
    `<samlp:LogoutRequest xmlns:samlp="${SAMLP}" xmlns:saml="${SAML}" ID="${newId()}" Version="2.0"`,
    ` IssueInstant="${instant(issuedAt)}" Destination="${destination}">`,
    `<saml:Issuer>${issuer}</saml:Issuer><saml:NameID>${nameId}</saml:NameID>`,
    ...(sessionIndex === undefined ? [] : [`<samlp:SessionIndex>${sessionIndex}</samlp:SessionIndex>`]),
    '</samlp:LogoutRequest>',
  ].join('');
}

export function responseOf(parts: ResponseParts): string {
  const { acsUrl, requestId, issuer = IDP_ENTITY, destination = acsUrl } = parts;
  const status = parts.status ?? 'urn:oasis:names:tc:SAML:2.0:status:Success';
  return [
    `<samlp:Response xmlns:samlp="${SAMLP}" xmlns:saml="${SAML}" ID="${newId()}" Version="2.0" IssueInstant="${instant(0)}"`,
    ...(destination === null ? [] : [` Destination="${destination}"`]),
    ...(requestId === undefined ? [] : [` InResponseTo="${requestId}"`]),
    `><saml:Issuer>${parts.responseIssuer ?? issuer}</saml:Issuer>`,
    `<samlp:Status><samlp:StatusCode Value="${status}"/></samlp:Status>`,
    assertionOf(parts),
    '</samlp:Response>',
  ].join('');
}

export function assertionOf(parts: ResponseParts): string {
  const { acsUrl, requestId, issuer = IDP_ENTITY, nameId = 'ann', from = -30, until = 300 } = parts;
  const inResponseTo = parts.subjectInResponseTo === undefined ? requestId : parts.subjectInResponseTo;
  const attributes = Object.entries(parts.attributes ?? {}).map(
    ([name, values]) =>
      `<saml:Attribute Name="${name}">${values.map((value) => `<saml:AttributeValue>${value}</saml:AttributeValue>`).join('')}</saml:Attribute>`,
  );
  const audiences = (parts.audiences ?? [parts.audience]).map(
    (one) => `<saml:Audience>${one}</saml:Audience>`,
  );
  const end = until === null ? '' : ` NotOnOrAfter="${instant(until)}"`;
  return [
    `<saml:Assertion xmlns:saml="${SAML}" ID="${parts.assertionId ?? newId()}" Version="2.0" IssueInstant="${instant(0)}">`,
    `<saml:Issuer>${issuer}</saml:Issuer>`,
    `<saml:Subject><saml:NameID Format="${parts.nameIdFormat ?? 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent'}">${nameId}</saml:NameID>`,
    `<saml:SubjectConfirmation Method="${parts.confirmationMethod ?? 'urn:oasis:names:tc:SAML:2.0:cm:bearer'}">`,
    `<saml:SubjectConfirmationData Recipient="${parts.recipient ?? acsUrl}"${end}`,
    ...(inResponseTo === undefined || inResponseTo === null ? [] : [` InResponseTo="${inResponseTo}"`]),
    '/></saml:SubjectConfirmation></saml:Subject>',
    `<saml:Conditions NotBefore="${instant(from)}"${end}>`,
    ...(parts.withoutAudience
      ? []
      : [`<saml:AudienceRestriction>${audiences.join('')}</saml:AudienceRestriction>`]),
    '</saml:Conditions>',
    ...(parts.withoutAuthentication ? [] : [authentication(parts)]),
    ...(attributes.length > 0
      ? [`<saml:AttributeStatement>${attributes.join('')}</saml:AttributeStatement>`]
      : []),
    '</saml:Assertion>',
  ].join('');
}

const PASSWORD = 'urn:oasis:names:tc:SAML:2.0:ac:classes:Password';

function authentication({
  sessionUntil,
  sessionIndex = 'session-1',
  context = PASSWORD,
}: ResponseParts): string {
  const over = sessionUntil === undefined ? '' : ` SessionNotOnOrAfter="${instant(sessionUntil)}"`;
  return [
    `<saml:AuthnStatement AuthnInstant="${instant(0)}" SessionIndex="${sessionIndex}"${over}><saml:AuthnContext>`,
    `<saml:AuthnContextClassRef>${context}</saml:AuthnContextClassRef>`,
    '</saml:AuthnContext></saml:AuthnStatement>',
  ].join('');
}

function instant(seconds: number): string {
  return new Date(Date.now() + seconds * 1_000).toISOString();
}

function publicKeyOf(certificate: string): string {
  return new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'pem' }).toString();
}
