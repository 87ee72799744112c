import { DOMParser, type Document, type Element, type Node } from '@xmldom/xmldom';
import { ExclusiveCanonicalization } from 'xml-crypto';

/** Why a message that was changed is the message that it was. Whatever is none of these is another message. */
export const SAMENESS = {
  written:
    'canonicalised (exclusively, RFC 3741), the two are the same bytes: quotes, entities, unused declarations',
  spaced:
    'but for white space where no text is: between elements that no signature covers, and in base64 there',
  hinted: 'without the copy of the certificate that a signature may carry, from which no key is ever taken',
  alone:
    'without the signature of the response, where its assertion is signed too, which is enough by itself',
  envelope:
    'but for the id and the time of a response that is not signed, which nothing reads: the assertion has its own',
} as const;

export type Sameness = keyof typeof SAMENESS;

/** In which of these ways it is the same; undefined for another message. Each way is tried on top of those before. */
export function sameness(original: string, changed: string): Sameness | undefined {
  const [one, other] = [treeOf(original), treeOf(changed)];
  const both = (change: (tree: Document) => void): void => [one, other].forEach(change);
  if (canonical(one) === canonical(other)) return 'written';
  both(withoutSpace);
  if (canonical(one) === canonical(other)) return 'spaced';
  both((tree) => Array.from(tree.getElementsByTagName('KeyInfo')).forEach(remove));
  if (canonical(one) === canonical(other)) return 'hinted';
  if (signatureOf(other)) return undefined;
  both((tree) => remove(signatureOf(tree)));
  both(withoutSpace);
  if (canonical(one) === canonical(other)) return 'alone';
  both(({ documentElement: root }) =>
    ['ID', 'IssueInstant'].forEach((name) => root?.setAttribute(name, 'x')),
  );
  return canonical(one) === canonical(other) ? 'envelope' : undefined;
}

/** The response's own. */
function signatureOf({ documentElement: root }: Document): Node | undefined {
  return Array.from(root?.childNodes ?? []).find((node) => (node as Element).localName === 'Signature');
}

function remove(node: Node | undefined): void {
  node?.parentNode?.removeChild(node);
}

function treeOf(xml: string): Document {
  return new DOMParser().parseFromString(xml.replace(/^\ufeff/, ''), 'text/xml');
}

function canonical({ documentElement }: Document): string {
  return new ExclusiveCanonicalization().process(documentElement, {});
}

const BASE64 = new Set(['SignatureValue', 'X509Certificate']);
const FRAME = new Set(['Signature', 'KeyInfo', 'X509Data']);
const ENVELOPE = new Set(['Response', 'Status', 'StatusCode']);

function withoutSpace(tree: Document): void {
  const enveloped = signatureOf(tree) === undefined;
  for (const element of Array.from(tree.getElementsByTagName('*'))) {
    const name = element.localName ?? '';
    const base64 = BASE64.has(name);
    const outside = FRAME.has(name) || (enveloped && ENVELOPE.has(name));
    const issuer = enveloped && name === 'Issuer' && element.parentNode === tree.documentElement;
    if (base64 || outside || issuer) for (const text of textsOf(element)) strip(tree, text, base64);
  }
}

function textsOf(element: Element): Node[] {
  return Array.from(element.childNodes).filter(({ nodeType }) => nodeType === 3);
}

function strip(tree: Document, text: Node, all: boolean): void {
  const value = text.nodeValue ?? '';
  const kept = all ? value.replaceAll(/\s/g, '') : value.trim();
  if (kept === '') text.parentNode?.removeChild(text);
  else text.parentNode?.replaceChild(tree.createTextNode(kept), text);
}

/** What was changed, for who reads of a failure: the part of the message that differs, and what is before it. */
export function difference(original: string, changed: string): { before: string; from: string; to: string } {
  let start = 0;
  while (start < original.length && original[start] === changed[start]) start += 1;
  const longest = Math.min(original.length, changed.length) - start;
  let end = 0;
  while (end < longest && original.at(-1 - end) === changed.at(-1 - end)) end += 1;
  return {
    before: original.slice(Math.max(0, start - 60), start),
    from: original.slice(start, original.length - end),
    to: changed.slice(start, changed.length - end),
  };
}
