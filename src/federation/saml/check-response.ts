import type { Claims } from '../map-claims.js';
import { LONGEST_LIFE_MS } from '../replays.js';
import { decodePosted, rootOf } from './decode-message.js';
import { decryptedAssertion } from './decrypt-assertion.js';
import { BEARER, SAML, SAMLP, SUCCESS } from './names.js';
import { attribute, childrenOf, plainText, type Element } from './safe-xml.js';
import { SamlRefused, type SamlRefusal } from './saml-refusals.js';
import { isUnauthenticated, requireLayout } from './signature-layout.js';
import { requirePlainEnvelope, requireSignatureFrames } from './unsigned-parts.js';
import { signedAssertion, type SamlKeys } from './verify-signature.js';

/** What a response must say to be meant for us, now, and for this sign-in. */
export interface Expected {
  readonly keys: SamlKeys;
  /** The provider's entity id. */
  readonly issuer: string;
  /** Where it was sent to: our assertion consumer service. */
  readonly acsUrl: string;
  /** Our entity id. */
  readonly audience: string;
  /** The id of our request; undefined where the sign-in began at the provider. */
  readonly requestId: string | undefined;
  readonly now: Date;
}

/** What an assertion says that was found right. */
export interface CheckedAssertion {
  readonly id: string;
  readonly nameId: string;
  readonly nameIdFormat?: string;
  readonly sessionIndex?: string;
  readonly attributes: Claims;
  /** How the person has signed in there, as the provider calls it. */
  readonly contexts: readonly string[];
  /** Until then it could be shown again. */
  readonly until: Date;
  readonly sessionUntil?: Date;
  readonly authenticatedAt?: Date;
}

/** How far clocks may differ. */
const SKEW_MS = 60_000;
/** SAML 2.0 Core section 1.3.3: in UTC, as `2026-01-31T12:00:00Z`. */
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/;
const MOST_VALUES = 2_000;

/**
 * Checks a SAML 2.0 response of the web browser SSO profile (SAML 2.0 Profiles, section 4.1.4.3), all of it, in the order
 * written here. What is read in the end are the signed bytes and nothing else. @throws {SamlRefused} with the reason
 */
export async function checkResponse(encoded: unknown, expected: Expected): Promise<CheckedAssertion> {
  const { root } = decodePosted(encoded);
  requireThat(root.namespaceURI === SAMLP && root.localName === 'Response', 'SAML_MALFORMED');
  requireThat(attribute(root, 'Version') === '2.0', 'SAML_MALFORMED');
  requireSuccess(root);
  const { signed, assertion, encrypted } = requireLayout(root, 'response');
  const responseIsSigned = signed.includes(root);
  requireThat(encrypted !== undefined || signed.length > 0, 'SAML_SIGNATURE_MISSING');
  requireThat(responseIsSigned || !encrypted || !isUnauthenticated(encrypted), 'SAML_ENCRYPTION');
  requireEnvelope(root, expected);
  // With one signature on the response, it alone is what counts; with one on the assertion alone, that one.
  const bytes = await signedAssertion(String(encoded), expected.keys, responseIsSigned);
  const read = rootOf(bytes);
  const found = assertion ?? (encrypted && (await decryptedAssertion(encrypted, expected.keys)));
  if (found && encrypted) {
    const inner = requireLayout(found, 'assertion');
    requireThat(responseIsSigned || inner.signed.includes(found), 'SAML_SIGNATURE_MISSING');
    requireSignatureFrames(inner.signed, expected.keys.certificates);
  }
  requireSignatureFrames(signed, expected.keys.certificates);
  if (!responseIsSigned) requirePlainEnvelope(root);
  requireThat(read.namespaceURI === SAML && read.localName === 'Assertion', 'SAML_SIGNED_ELEMENT');
  const id = attribute(read, 'ID');
  requireThat(
    id !== undefined && found !== undefined && id === attribute(found, 'ID'),
    'SAML_SIGNED_ELEMENT',
  );
  return checkAssertion(read, id, expected);
}

/** What stands around the assertion. Where only the assertion is signed it proves nothing, and must fit all the same. */
function requireEnvelope(root: Element, { issuer, acsUrl, requestId }: Expected): void {
  for (const one of childrenOf(root, SAML, 'Issuer')) requireThat(plainText(one) === issuer, 'SAML_ISSUER');
  requireThat(attribute(root, 'Destination') === acsUrl, 'SAML_DESTINATION');
  requireThat(attribute(root, 'InResponseTo') === requestId, 'SAML_IN_RESPONSE_TO');
}

function checkAssertion(assertion: Element, id: string, expected: Expected): CheckedAssertion {
  requireThat(attribute(assertion, 'Version') === '2.0', 'SAML_MALFORMED');
  requireThat(plainText(only(assertion, 'Issuer', 'SAML_ISSUER')) === expected.issuer, 'SAML_ISSUER');
  const subject = only(assertion, 'Subject', 'SAML_SUBJECT');
  const nameId = only(subject, 'NameID', 'SAML_SUBJECT');
  const name = plainText(nameId);
  requireThat(name !== undefined && name !== '', 'SAML_SUBJECT');
  const confirmedUntil = requireConfirmation(subject, expected);
  const conditionsUntil = requireConditions(only(assertion, 'Conditions', 'SAML_AUDIENCE'), expected);
  const until = new Date(
    Math.min(confirmedUntil.getTime(), conditionsUntil?.getTime() ?? Infinity) + SKEW_MS,
  );
  requireThat(until.getTime() - expected.now.getTime() <= LONGEST_LIFE_MS, 'SAML_LIFETIME');
  const [statement] = childrenOf(assertion, SAML, 'AuthnStatement');
  requireThat(statement !== undefined, 'SAML_NO_AUTHENTICATION');
  const sessionUntil = instant(statement, 'SessionNotOnOrAfter', 'SAML_SESSION_OVER');
  requireThat(!sessionUntil || !isOver(sessionUntil, expected.now), 'SAML_SESSION_OVER');
  const authenticatedAt = instant(statement, 'AuthnInstant', 'SAML_NO_AUTHENTICATION');
  const [nameIdFormat, sessionIndex] = [attribute(nameId, 'Format'), attribute(statement, 'SessionIndex')];
  return {
    id,
    nameId: name,
    attributes: attributesOf(assertion),
    contexts: contextsOf(statement),
    until,
    ...(nameIdFormat !== undefined && { nameIdFormat }),
    ...(sessionIndex !== undefined && { sessionIndex }),
    ...(sessionUntil && { sessionUntil }),
    ...(authenticatedAt && { authenticatedAt }),
  };
}

/** One bearer confirmation that is for us, now, for this request. What each of several lacks is said of the last. */
function requireConfirmation(subject: Element, expected: Expected): Date {
  const bearers = childrenOf(subject, SAML, 'SubjectConfirmation').filter(
    (one) => attribute(one, 'Method') === BEARER,
  );
  let why: SamlRefusal = 'SAML_SUBJECT';
  for (const bearer of bearers) {
    try {
      return confirmed(only(bearer, 'SubjectConfirmationData', 'SAML_SUBJECT'), expected);
    } catch (error) {
      if (!(error instanceof SamlRefused)) throw error;
      why = error.refusal;
    }
  }
  throw new SamlRefused(why);
}

function confirmed(data: Element, { acsUrl, requestId, now }: Expected): Date {
  requireThat(attribute(data, 'Recipient') === acsUrl, 'SAML_RECIPIENT');
  requireThat(attribute(data, 'InResponseTo') === requestId, 'SAML_IN_RESPONSE_TO');
  const until = instant(data, 'NotOnOrAfter', 'SAML_LIFETIME');
  requireThat(until !== undefined, 'SAML_LIFETIME');
  requireTimes(data, now);
  return until;
}

function requireConditions(conditions: Element, { audience, now }: Expected): Date | undefined {
  requireTimes(conditions, now);
  const restrictions = childrenOf(conditions, SAML, 'AudienceRestriction');
  // Each of several has to be met (SAML 2.0 Core section 2.5.1.4).
  const meant = restrictions.every((one) =>
    childrenOf(one, SAML, 'Audience').some((each) => plainText(each) === audience),
  );
  requireThat(restrictions.length > 0 && meant, 'SAML_AUDIENCE');
  return instant(conditions, 'NotOnOrAfter', 'SAML_EXPIRED');
}

function requireTimes(element: Element, now: Date): void {
  const from = instant(element, 'NotBefore', 'SAML_NOT_YET_VALID');
  const until = instant(element, 'NotOnOrAfter', 'SAML_EXPIRED');
  requireThat(!from || from.getTime() <= now.getTime() + SKEW_MS, 'SAML_NOT_YET_VALID');
  requireThat(!until || !isOver(until, now), 'SAML_EXPIRED');
}

function isOver(until: Date, now: Date): boolean {
  return until.getTime() <= now.getTime() - SKEW_MS;
}

function requireSuccess(root: Element): void {
  const [status] = childrenOf(root, SAMLP, 'Status');
  const [code] = status ? childrenOf(status, SAMLP, 'StatusCode') : [];
  requireThat(code !== undefined && attribute(code, 'Value') === SUCCESS, 'SAML_STATUS');
}

function contextsOf(statement: Element): string[] {
  return childrenOf(statement, SAML, 'AuthnContext').flatMap((context) =>
    childrenOf(context, SAML, 'AuthnContextClassRef').flatMap((one) => plainText(one)?.trim() ?? []),
  );
}

function attributesOf(assertion: Element): Claims {
  const claims: Record<string, readonly string[]> = Object.create(null) as Record<string, readonly string[]>;
  const all = childrenOf(assertion, SAML, 'AttributeStatement').flatMap((one) =>
    childrenOf(one, SAML, 'Attribute'),
  );
  for (const one of all) {
    const name = attribute(one, 'Name');
    if (name === undefined) continue;
    const values = childrenOf(one, SAML, 'AttributeValue').flatMap((value) => plainText(value) ?? []);
    claims[name] = [...(claims[name] ?? []), ...values].slice(0, MOST_VALUES);
  }
  return claims;
}

/** A time of an attribute; undefined where it is not there. */
function instant(element: Element, name: string, why: SamlRefusal): Date | undefined {
  const text = attribute(element, name);
  if (text === undefined) return undefined;
  const time = INSTANT.test(text) ? new Date(text) : undefined;
  requireThat(time !== undefined && !Number.isNaN(time.getTime()), why);
  return time;
}

function only(parent: Element, name: string, why: SamlRefusal): Element {
  const [one, ...more] = childrenOf(parent, SAML, name);
  requireThat(one !== undefined && more.length === 0, why);
  return one;
}

function requireThat(holds: boolean, why: SamlRefusal): asserts holds {
  if (!holds) throw new SamlRefused(why);
}
