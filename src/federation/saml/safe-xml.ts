import { DOMParser, onWarningStopParsing, type Document, type Element, type Node } from '@xmldom/xmldom';

export type { Element, Node };

/** Why a text is not read. Each is its own reason, in events too. */
export type UnsafeReason =
  'DOCTYPE' | 'ENTITY' | 'PROCESSING_INSTRUCTION' | 'COMMENT' | 'CDATA' | 'MALFORMED';

export class UnsafeXml extends Error {
  override readonly name = 'UnsafeXml';
  constructor(
    readonly reason: UnsafeReason,
    options?: ErrorOptions,
  ) {
    super(`The XML is not read: ${reason}.`, options);
  }
}

const DECLARATION =
  /^<\?xml\s+version="1\.0"(?:\s+encoding="(?:utf|UTF)-8")?(?:\s+standalone="(?:yes|no)")?\s*\?>/;
/** The five of XML itself, and characters by their number. */
const ENTITY = /&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-fA-F]{1,6});)/;
/** What XML 1.0 (section 2.2) has no place for. */
// oxlint-disable-next-line no-control-regex -- these are what is looked for
const NOT_XML = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;

/**
 * Reads XML of which nothing is left to a parser's mood: no document type (and so no entities of its own), no processing
 * instructions, no CDATA; no comments, which split a text in two for some readers and not for others. Looked for in the
 * text itself, before a parser sees it: `<!` and `<?` cannot stand anywhere else in well-formed XML without them.
 * @throws {UnsafeXml}
 */
export function readXml(text: string, allow: { readonly comments?: boolean } = {}): Element {
  const body = text.replace(/^\ufeff/, '').replace(DECLARATION, '');
  refuse(body, allow.comments === true);
  return parsed(body);
}

function refuse(text: string, comments: boolean): void {
  if (/<!(?:doctype|entity|element|attlist|notation)/i.test(text)) throw new UnsafeXml('DOCTYPE');
  if (text.includes('<![')) throw new UnsafeXml('CDATA');
  if (!comments && text.includes('<!--')) throw new UnsafeXml('COMMENT');
  if (text.includes('<?')) throw new UnsafeXml('PROCESSING_INSTRUCTION');
  if (/<!(?!--)/.test(text) || NOT_XML.test(text)) throw new UnsafeXml('MALFORMED');
  if (ENTITY.test(text)) throw new UnsafeXml('ENTITY');
}

function parsed(text: string): Element {
  let document: Document;
  try {
    document = new DOMParser({ onError: onWarningStopParsing }).parseFromString(text, 'text/xml');
  } catch (cause) {
    throw new UnsafeXml('MALFORMED', { cause });
  }
  const root = document.documentElement;
  const outside = Array.from(document.childNodes).filter(
    (node) => node !== root && node.nodeType !== 8 && node.textContent?.trim() !== '',
  );
  if (!root || outside.length > 0) throw new UnsafeXml('MALFORMED');
  return root;
}

/** An element and every one below it. */
export function elementsOf(root: Element): Element[] {
  return [root, ...Array.from(root.getElementsByTagName('*'))];
}

export function childrenOf(parent: Element, namespace: string, name: string): Element[] {
  return Array.from(parent.childNodes).filter(
    (node): node is Element =>
      node.nodeType === 1 &&
      (node as Element).namespaceURI === namespace &&
      (node as Element).localName === name,
  );
}

/** An attribute's value; undefined where it is not there. */
export function attribute(element: Element, name: string): string | undefined {
  return element.hasAttribute(name) ? (element.getAttribute(name) ?? undefined) : undefined;
}

/** The text of an element that holds nothing else. */
export function plainText(element: Element): string | undefined {
  const nodes = Array.from(element.childNodes);
  if (nodes.some(({ nodeType }) => nodeType !== 3)) return undefined;
  return nodes
    .map(({ nodeValue }) => nodeValue ?? '')
    .join('')
    .trim();
}
