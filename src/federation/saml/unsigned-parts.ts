import { X509Certificate } from 'node:crypto';
import { DSIG, ENTITY_FORMAT, EXCLUSIVE, SAML, SAMLP, XENC, XS, XSI } from './names.js';
import { attribute, type Element, type Node } from './safe-xml.js';
import { SamlRefused, type SamlRefusal } from './saml-refusals.js';

/** Declared by providers, whether or not they use them. */
const NAMESPACES = new Set([SAML, SAMLP, DSIG, XENC, XS, XSI, EXCLUSIVE]);
const XMLNS = 'http://www.w3.org/2000/xmlns/';
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/;
const CONSENT = /^urn:oasis:names:tc:SAML:2\.0:consent:[a-z-]+$/;
const LONGEST_NAME = 1_000;

/**
 * What of a signature its own digest does not cover: the value, in the one way that its bytes are written, and the key, which
 * has to be one of the connection's. It is not believed, and so could say anything: it is held to what providers send.
 * @param signed the elements whose child a signature is
 * @throws {SamlRefused}
 */
export function requireSignatureFrames(signed: readonly Element[], certificates: readonly string[]): void {
  const keys = certificates.map((pem) => new X509Certificate(pem));
  for (const element of signed) {
    // Where the schema of SAML has it: its place is one more thing that it does not sign.
    const [issuer, signature] = Array.from(element.childNodes).filter(isElement);
    requireThat(is(issuer, SAML, 'Issuer') && is(signature, DSIG, 'Signature'), 'SAML_SIGNATURE_PLACE');
    requireFrame(signature, keys);
  }
}

function requireFrame(signature: Element, keys: readonly X509Certificate[]): void {
  const [info, value, keyInfo, ...more] = partsOf(signature, 'SAML_KEY_INFO');
  requireThat(is(info, DSIG, 'SignedInfo') && is(value, DSIG, 'SignatureValue'), 'SAML_KEY_INFO');
  bytesOf(value);
  if (keyInfo === undefined) return;
  requireThat(is(keyInfo, DSIG, 'KeyInfo') && more.length === 0, 'SAML_KEY_INFO');
  const parts = partsOf(keyInfo, 'SAML_KEY_INFO');
  requireThat(parts.length > 0, 'SAML_KEY_INFO');
  for (const part of parts) requireKnownKey(part, keys);
}

/** A certificate (most), a bare key (Lasso without one), or a name of it beside (Keycloak). */
function requireKnownKey(part: Element, keys: readonly X509Certificate[]): void {
  if (is(part, DSIG, 'KeyName')) {
    requireThat(textOf(part).length <= LONGEST_NAME, 'SAML_KEY_INFO');
    return;
  }
  const [one, ...more] = partsOf(part, 'SAML_KEY_INFO');
  requireThat(more.length === 0, 'SAML_KEY_INFO');
  if (is(part, DSIG, 'X509Data')) {
    requireThat(is(one, DSIG, 'X509Certificate'), 'SAML_KEY_INFO');
    const certificate = bytesOf(one);
    requireThat(
      keys.some(({ raw }) => raw.equals(certificate)),
      'SAML_KEY_INFO',
    );
    return;
  }
  requireThat(is(part, DSIG, 'KeyValue') && is(one, DSIG, 'RSAKeyValue'), 'SAML_KEY_INFO');
  const [modulus, exponent, ...others] = partsOf(one, 'SAML_KEY_INFO');
  const fits = is(modulus, DSIG, 'Modulus') && is(exponent, DSIG, 'Exponent') && others.length === 0;
  requireThat(fits, 'SAML_KEY_INFO');
  const [n, e] = [bytesOf(modulus), bytesOf(exponent)].map((bytes) => bytes.toString('base64url'));
  const known = keys.map(({ publicKey }) => publicKey.export({ format: 'jwk' }));
  requireThat(
    known.some((jwk) => jwk.n === n && jwk.e === e),
    'SAML_KEY_INFO',
  );
}

/** What stands around an assertion that alone is signed. Read or not, it is what providers send and nothing else. @throws {SamlRefused} */
export function requirePlainEnvelope(response: Element): void {
  const why = 'SAML_ENVELOPE';
  const parts = partsOf(response, why, [
    'ID',
    'Version',
    'IssueInstant',
    'Destination',
    'InResponseTo',
    'Consent',
  ]);
  requireThat(isInstant(attribute(response, 'IssueInstant')), why);
  requireThat(
    CONSENT.test(attribute(response, 'Consent') ?? 'urn:oasis:names:tc:SAML:2.0:consent:none'),
    why,
  );
  const [issuer, status, assertion, ...more] = parts;
  requireThat(is(issuer, SAML, 'Issuer') && partsOf(issuer, why, ['Format'], true).length === 0, why);
  requireThat([undefined, ENTITY_FORMAT].includes(attribute(issuer, 'Format')), why);
  requireThat(is(status, SAMLP, 'Status') && assertion !== undefined && more.length === 0, why);
  const [code, message, ...details] = partsOf(status, why);
  requireThat(is(code, SAMLP, 'StatusCode') && details.length === 0, why);
  requireThat(partsOf(code, why, ['Value']).length === 0, why);
  if (message === undefined) return;
  requireThat(is(message, SAMLP, 'StatusMessage') && partsOf(message, why, [], true).length === 0, why);
}

/** The elements in one, which has nothing else in it but white space, or text where it may, and no attributes but these. */
function partsOf(
  element: Element,
  why: SamlRefusal,
  attributes: readonly string[] = [],
  text = false,
): Element[] {
  for (const { name, namespaceURI, value } of Array.from(element.attributes)) {
    const known = namespaceURI === XMLNS ? NAMESPACES.has(value ?? '') : attributes.includes(name);
    requireThat(known, why);
  }
  const nodes = Array.from(element.childNodes);
  const elements = nodes.filter(isElement);
  const others = nodes.filter(({ nodeType }) => nodeType !== 1);
  requireThat(
    others.every(({ nodeType, nodeValue }) => nodeType === 3 && (text || nodeValue?.trim() === '')),
    why,
  );
  return elements;
}

function textOf(element: Element): string {
  requireThat(partsOf(element, 'SAML_KEY_INFO', [], true).length === 0, 'SAML_KEY_INFO');
  return element.textContent ?? '';
}

/** RFC 4648 section 3.5: the same bytes are written in one way, but for the white space that XML Schema lets in. */
function bytesOf(element: Element): Buffer {
  const text = textOf(element).replaceAll(/[ \t\r\n]/g, '');
  const bytes = Buffer.from(text, 'base64');
  requireThat(bytes.toString('base64') === text, 'SAML_KEY_INFO');
  return bytes;
}

function isElement(node: Node): node is Element {
  return node.nodeType === 1;
}

function is(element: Element | undefined, namespace: string, name: string): element is Element {
  return element?.namespaceURI === namespace && element.localName === name;
}

function isInstant(text: string | undefined): boolean {
  return text !== undefined && INSTANT.test(text) && !Number.isNaN(Date.parse(text));
}

function requireThat(holds: boolean, why: SamlRefusal): asserts holds {
  if (!holds) throw new SamlRefused(why);
}
