import {
  CANONICALIZATION_METHODS,
  CBC,
  DIGEST_METHODS,
  DSIG,
  GCM,
  KEY_TRANSPORTS,
  SAML,
  SIGNATURE_METHODS,
  TRANSFORMS,
  XENC,
} from './names.js';
import { attribute, childrenOf, elementsOf, type Element } from './safe-xml.js';
import { SamlRefused } from './saml-refusals.js';

/**
 * Whether a message is laid out in the one way in which what is signed and what is read cannot be two things. All that
 * is known as signature wrapping (Somorovsky et al., "On Breaking SAML", USENIX Security 2012) moves the signed element
 * somewhere else, and puts another one where it is looked for. Here there is nowhere else: one assertion, in its place; each
 * ID once; each signature the child of what it signs; nothing in a signature that could hold an element of its own.
 */
export interface Layout {
  /** Where signatures are: the message itself, its assertion. */
  readonly signed: readonly Element[];
  readonly assertion: Element | undefined;
  readonly encrypted: Element | undefined;
}

/** @throws {SamlRefused} */
export function requireLayout(root: Element, kind: 'response' | 'assertion' | 'request'): Layout {
  const all = elementsOf(root);
  requireDistinctIds(all);
  const found = all.filter(
    ({ localName }) => localName === 'Assertion' || localName === 'EncryptedAssertion',
  );
  const [only] = found;
  const expected = kind === 'request' ? 0 : 1;
  const inPlace = kind === 'assertion' ? only === root : only?.parentNode === root;
  if (found.length !== expected || (only && !(inPlace && only.namespaceURI === SAML)))
    throw new SamlRefused('SAML_ASSERTION_COUNT');
  const encrypted = only?.localName === 'EncryptedAssertion' ? only : undefined;
  const assertion = encrypted ? undefined : only;
  if (encrypted) requireEncryption(encrypted);
  const allowed = [root, ...(assertion ? [assertion] : [])];
  const signed = all
    .filter(({ localName }) => localName === 'Signature')
    .map((signature) => requireSignature(signature, allowed));
  if (new Set(signed).size !== signed.length) throw new SamlRefused('SAML_SIGNATURE_PLACE');
  return { signed, assertion, encrypted };
}

/** Attributes that any reader takes for an ID, whatever their case. */
function requireDistinctIds(elements: readonly Element[]): void {
  const ids = elements.flatMap((element) =>
    Array.from(element.attributes)
      .filter(({ localName, name }) => (localName ?? name).toLowerCase() === 'id')
      .map(({ value }) => value ?? ''),
  );
  if (new Set(ids).size !== ids.length || ids.some((id) => !/^[A-Za-z_][\w.-]*$/.test(id)))
    throw new SamlRefused('SAML_DUPLICATE_ID');
}

/** @returns what it signs: the element that it stands in */
function requireSignature(signature: Element, allowed: readonly Element[]): Element {
  const parent = allowed.find((one) => one === signature.parentNode);
  const [info, ...infos] = childrenOf(signature, DSIG, 'SignedInfo');
  const [reference, ...references] = info ? childrenOf(info, DSIG, 'Reference') : [];
  if (!parent || signature.namespaceURI !== DSIG || !info || infos.length > 0)
    throw new SamlRefused('SAML_SIGNATURE_PLACE');
  if (!reference || references.length > 0 || elementsOf(signature).some(isContainer))
    throw new SamlRefused('SAML_SIGNATURE_PLACE');
  const id = attribute(parent, 'ID');
  if (id === undefined || attribute(reference, 'URI') !== `#${id}`)
    throw new SamlRefused('SAML_SIGNATURE_PLACE');
  requireAlgorithms(info, reference);
  return parent;
}

/** What a signature could carry an element in (XML Signature section 4.5). */
function isContainer({ localName }: Element): boolean {
  return ['Object', 'Manifest', 'SignatureProperties', 'RetrievalMethod'].includes(localName ?? '');
}

function requireAlgorithms(info: Element, reference: Element): void {
  const transforms = childrenOf(reference, DSIG, 'Transforms').flatMap((one) =>
    childrenOf(one, DSIG, 'Transform'),
  );
  const fit =
    algorithmOf(info, 'SignatureMethod', SIGNATURE_METHODS) &&
    algorithmOf(info, 'CanonicalizationMethod', CANONICALIZATION_METHODS) &&
    algorithmOf(reference, 'DigestMethod', DIGEST_METHODS) &&
    transforms.length <= 2 &&
    transforms.every((one) => TRANSFORMS.has(attribute(one, 'Algorithm') ?? ''));
  if (!fit) throw new SamlRefused('SAML_SIGNATURE_ALGORITHM');
}

function algorithmOf(parent: Element, name: string, known: ReadonlySet<string>): boolean {
  const [one, ...more] = childrenOf(parent, DSIG, name);
  return one !== undefined && more.length === 0 && known.has(attribute(one, 'Algorithm') ?? '');
}

function requireEncryption(encrypted: Element): void {
  const methods = elementsOf(encrypted).filter(
    ({ namespaceURI, localName }) => namespaceURI === XENC && localName === 'EncryptionMethod',
  );
  const fits = methods.every((method) => {
    const algorithm = attribute(method, 'Algorithm') ?? '';
    const ofKey = (method.parentNode as Element).localName === 'EncryptedKey';
    return ofKey ? KEY_TRANSPORTS.has(algorithm) : GCM.has(algorithm) || CBC.has(algorithm);
  });
  if (methods.length !== 2 || !fits) throw new SamlRefused('SAML_ENCRYPTION');
}

/** Whether the cipher does not tell by itself that it was tampered with: then a signature around it has to. */
export function isUnauthenticated(encrypted: Element): boolean {
  return elementsOf(encrypted).some((one) => CBC.has(attribute(one, 'Algorithm') ?? ''));
}
