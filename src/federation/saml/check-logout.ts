import { verify } from 'node:crypto';
import { decodeDeflated, decodePosted, type Message } from './decode-message.js';
import { SAML, SAMLP, SIGNATURE_METHODS } from './names.js';
import { attribute, childrenOf, plainText } from './safe-xml.js';
import { SamlRefused, type SamlRefusal } from './saml-refusals.js';
import { requireLayout } from './signature-layout.js';
import { requireSignatureFrames } from './unsigned-parts.js';
import { requireSignedRequest, type SamlKeys } from './verify-signature.js';

/** How a logout request came. */
export type LogoutMessage =
  | { readonly binding: 'post'; readonly encoded: unknown }
  /** `query` as it was sent: the signature is over its very characters. */
  | { readonly binding: 'redirect'; readonly query: string };

export interface LogoutRequest {
  readonly id: string;
  readonly nameId: string;
  readonly sessionIndexes: readonly string[];
  readonly until: Date;
}

interface Expected {
  readonly keys: SamlKeys;
  readonly issuer: string;
  readonly destination: string;
  readonly now: Date;
}

/** A request is sent at once; clocks differ. */
const OLDEST_MS = 10 * 60_000;
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/;

/** A request of the single logout profile (SAML 2.0 Profiles, section 4.4.4.1). Unsigned ones are refused. @throws {SamlRefused} */
export async function checkLogout(message: LogoutMessage, expected: Expected): Promise<LogoutRequest> {
  const { root } =
    message.binding === 'post'
      ? await posted(message.encoded, expected)
      : redirected(message.query, expected);
  requireThat(attribute(root, 'Version') === '2.0', 'SAML_MALFORMED');
  const [issuer] = childrenOf(root, SAML, 'Issuer');
  requireThat(issuer !== undefined && plainText(issuer) === expected.issuer, 'SAML_ISSUER');
  requireThat(attribute(root, 'Destination') === expected.destination, 'SAML_DESTINATION');
  const issued = instant(attribute(root, 'IssueInstant'));
  const over = attribute(root, 'NotOnOrAfter');
  const { now } = expected;
  requireThat(Math.abs(now.getTime() - issued.getTime()) <= OLDEST_MS, 'SAML_EXPIRED');
  requireThat(over === undefined || instant(over).getTime() > now.getTime() - 60_000, 'SAML_EXPIRED');
  const [nameId, ...more] = childrenOf(root, SAML, 'NameID');
  const name = nameId && plainText(nameId);
  requireThat(name !== undefined && name !== '' && more.length === 0, 'SAML_SUBJECT');
  const id = attribute(root, 'ID');
  requireThat(id !== undefined, 'SAML_DUPLICATE_ID');
  const sessionIndexes = childrenOf(root, SAMLP, 'SessionIndex').flatMap((one) => plainText(one) ?? []);
  return { id, nameId: name, sessionIndexes, until: new Date(issued.getTime() + 2 * OLDEST_MS) };
}

async function posted(encoded: unknown, { keys }: Expected): Promise<Message> {
  const message = decodePosted(encoded);
  const { root } = message;
  requireThat(root.namespaceURI === SAMLP && root.localName === 'LogoutRequest', 'SAML_MALFORMED');
  const { signed } = requireLayout(root, 'request');
  requireThat(signed.includes(root), 'SAML_SIGNATURE_MISSING');
  await requireSignedRequest(String(encoded), keys);
  requireSignatureFrames(signed, keys.certificates);
  return message;
}

/** SAML 2.0 Bindings, section 3.4.4.1: the signature is over `SAMLRequest`, `RelayState` and `SigAlg`, in this order, as they were escaped. */
function redirected(query: string, { keys }: Expected): Message {
  const parts = query.split('&').map((part) => part.split('='));
  const raw = (name: string): string | undefined => {
    const found = parts.filter(([key]) => key === name);
    requireThat(found.length <= 1, 'SAML_MALFORMED');
    return found[0]?.slice(1).join('=');
  };
  const [request, relay, algorithm, signature] = ['SAMLRequest', 'RelayState', 'SigAlg', 'Signature'].map(
    raw,
  );
  requireThat(request !== undefined, 'SAML_MALFORMED');
  requireThat(algorithm !== undefined && signature !== undefined, 'SAML_SIGNATURE_MISSING');
  const signed = [
    `SAMLRequest=${request}`,
    ...(relay === undefined ? [] : [`RelayState=${relay}`]),
    `SigAlg=${algorithm}`,
  ];
  const method = unescaped(algorithm);
  requireThat(SIGNATURE_METHODS.has(method), 'SAML_SIGNATURE_ALGORITHM');
  const fits = keys.certificates.some((certificate) =>
    isSignature(
      method,
      Buffer.from(signed.join('&')),
      certificate,
      Buffer.from(unescaped(signature), 'base64'),
    ),
  );
  requireThat(fits, 'SAML_SIGNATURE_INVALID');
  const message = decodeDeflated(unescaped(request));
  const { root } = message;
  requireThat(root.namespaceURI === SAMLP && root.localName === 'LogoutRequest', 'SAML_MALFORMED');
  requireLayout(root, 'request');
  return message;
}

function isSignature(method: string, data: Buffer, certificate: string, signature: Buffer): boolean {
  const [, type = '', bits = ''] = /#(rsa|ecdsa)-sha(\d+)$/.exec(method) ?? [];
  try {
    return type === 'ecdsa'
      ? verify(`sha${bits}`, data, { key: certificate, dsaEncoding: 'ieee-p1363' }, signature)
      : verify(`sha${bits}`, data, certificate, signature);
  } catch {
    // A certificate whose key is of another kind than the signature's.
    return false;
  }
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch (cause) {
    throw new SamlRefused('SAML_ENCODING', { cause });
  }
}

function instant(text: string | undefined): Date {
  const time = text !== undefined && INSTANT.test(text) ? new Date(text) : undefined;
  requireThat(time !== undefined && !Number.isNaN(time.getTime()), 'SAML_EXPIRED');
  return time;
}

function requireThat(holds: boolean, why: SamlRefusal): asserts holds {
  if (!holds) throw new SamlRefused(why);
}
