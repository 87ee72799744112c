import { isUtf8 } from 'node:buffer';
import { inflateRawSync } from 'node:zlib';
import { readXml, UnsafeXml, type Element } from './safe-xml.js';
import { SamlRefused } from './saml-refusals.js';

/** Of a message as XML; no provider sends a tenth of it. */
export const LARGEST_MESSAGE = 262_144;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

export interface Message {
  readonly xml: string;
  readonly root: Element;
}

/** A message as a form carries it (HTTP-POST: SAML 2.0 Bindings, section 3.5.4). @throws {SamlRefused} */
export function decodePosted(encoded: unknown): Message {
  return read(bytesOf(encoded));
}

/** A message as an address carries it (HTTP-Redirect: section 3.4.4.1): deflated, and inflated no further than it may be large. @throws {SamlRefused} */
export function decodeDeflated(encoded: unknown): Message {
  try {
    return read(inflateRawSync(bytesOf(encoded), { maxOutputLength: LARGEST_MESSAGE }));
  } catch (error) {
    if (error instanceof SamlRefused) throw error;
    throw new SamlRefused(tooLong(error) ? 'SAML_TOO_LARGE' : 'SAML_ENCODING', { cause: error });
  }
}

function bytesOf(encoded: unknown): Buffer {
  if (typeof encoded !== 'string') throw new SamlRefused('SAML_ENCODING');
  // Some providers break the lines.
  const text = encoded.replace(/[\r\n]+/g, '');
  if (text.length > (LARGEST_MESSAGE / 3) * 4 + 4) throw new SamlRefused('SAML_TOO_LARGE');
  if (!BASE64.test(text) || text.length % 4 !== 0) throw new SamlRefused('SAML_ENCODING');
  return Buffer.from(text, 'base64');
}

function read(bytes: Buffer): Message {
  if (!isUtf8(bytes)) throw new SamlRefused('SAML_ENCODING');
  const xml = bytes.toString('utf8');
  return { xml, root: rootOf(xml) };
}

/** The root of XML in which nothing is that could be read in two ways. @throws {SamlRefused} */
export function rootOf(xml: string): Element {
  try {
    return readXml(xml);
  } catch (error) {
    if (error instanceof UnsafeXml) throw new SamlRefused(`SAML_${error.reason}`, { cause: error });
    throw error;
  }
}

function tooLong(error: unknown): boolean {
  return (error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE';
}
