import { DOMParser, XMLSerializer, type Element } from '@xmldom/xmldom';

/** Numbers below 1, the same again for the same seed (mulberry32). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

type Next = () => number;
type Mutation = (xml: string, next: Next) => string;

const CHARACTERS = 'abcXYZ019<>&"\'/= :_-#;!?\n\t\u00e9';
const PIECES = [
  '<!-- x -->',
  '<![CDATA[x]]>',
  '<?x y?>',
  '<!DOCTYPE a>',
  '&x;',
  '&#x41;',
  ' ',
  'evil',
  '<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_e"/>',
  ' ID="_evil"',
  '</saml:Assertion>',
];

const ON_TEXT: readonly Mutation[] = [
  // A character for another, a part taken out, a part twice, something put in, two parts for each other.
  (xml, next) => splice(xml, at(xml, next), 1, pick([...CHARACTERS], next)),
  (xml, next) => splice(xml, at(xml, next), 1 + Math.floor(next() * 40), ''),
  (xml, next) => {
    const from = at(xml, next);
    return splice(xml, at(xml, next), 0, xml.slice(from, from + 1 + Math.floor(next() * 200)));
  },
  (xml, next) => splice(xml, at(xml, next), 0, pick(PIECES, next)),
  (xml, next) => xml.slice(0, at(xml, next)),
  (xml, next) => {
    const digits = [...xml.matchAll(/\d/g)].map(({ index }) => index);
    return digits.length === 0 ? '' : splice(xml, pick(digits, next), 1, String(Math.floor(next() * 10)));
  },
];

type TreeMutation = (elements: readonly Element[], next: Next) => void;

const ON_TREE: readonly TreeMutation[] = [
  // An element elsewhere, twice, or gone.
  (elements, next) => attach(pick(elements, next), pick(elements, next)),
  (elements, next) => attach(pick(elements, next), pick(elements, next).cloneNode(true) as Element),
  (elements, next) => {
    const one = pick(elements, next);
    one.parentNode?.removeChild(one);
  },
  // An attribute gone, or with another's value; a text that is another's.
  (elements, next) => {
    const one = pick(elements, next);
    const attribute = pick(Array.from(one.attributes), next);
    if (attribute) one.removeAttribute(attribute.name);
  },
  (elements, next) => {
    const [one, other] = [pick(elements, next), pick(elements, next)];
    const [mine, theirs] = [pick(Array.from(one.attributes), next), pick(Array.from(other.attributes), next)];
    if (mine && theirs && !mine.name.startsWith('xmlns')) one.setAttribute(mine.name, theirs.value ?? '');
  },
  (elements, next) => {
    const leaves = elements.filter((one) => one.getElementsByTagName('*').length === 0);
    pick(leaves, next).textContent = pick(leaves, next).textContent ?? '';
  },
];

/** The message with one to three changes, of its text or its tree. */
export function mutated(xml: string, next: Next): string {
  for (;;) {
    let result = xml;
    for (let changes = 1 + Math.floor(next() * 3); changes > 0; changes -= 1)
      result = next() < 0.5 ? pick(ON_TEXT, next)(result, next) : onTree(result, next);
    if (result !== xml) return result;
  }
}

function onTree(xml: string, next: Next): string {
  try {
    const document = new DOMParser({ onError: () => undefined }).parseFromString(xml, 'text/xml');
    const elements = Array.from(document.getElementsByTagName('*'));
    pick(ON_TREE, next)(elements, next);
    return new XMLSerializer().serializeToString(document);
  } catch {
    // Already no tree any more, or a change that makes none.
    return pick(ON_TEXT, next)(xml, next);
  }
}

function attach(parent: Element, child: Element): void {
  parent.appendChild(child);
}

function splice(text: string, from: number, count: number, piece: string): string {
  return text.slice(0, from) + piece + text.slice(from + count);
}

function at(text: string, next: Next): number {
  return Math.floor(next() * text.length);
}

function pick<T>(list: readonly T[], next: Next): T {
  return list[Math.floor(next() * list.length)] as T;
}
