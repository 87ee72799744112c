import type { ConnectionEntity } from './connection.entity.js';
import type { Claims } from './map-claims.js';

/** Names of sign-ins with several factors, as providers use them for `acr` and AuthnContextClassRef. */
const CONTEXTS: ReadonlySet<string> = new Set([
  'https://refeds.org/profile/mfa',
  // OpenID Connect Extended Authentication Profile ACR Values 1.0: phishing-resistant, and by hardware.
  'phr',
  'phrh',
  'http://schemas.openid.net/pape/policies/2007/06/multi-factor',
  // Entra ID and AD FS.
  'http://schemas.microsoft.com/claims/multipleauthn',
  // SAML 2.0 Authentication Context, section 3.4: a card and its PIN, a telephone and its PIN.
  'urn:oasis:names:tc:SAML:2.0:ac:classes:SmartcardPKI',
  'urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorContract',
  'urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorUnregistered',
]);
/** The attribute in which Entra ID and AD FS say how somebody has signed in, each method as a value. */
const METHODS_ATTRIBUTE = 'http://schemas.microsoft.com/claims/authnmethodsreferences';

/** OpenID Connect: of the ID token, which is signed, and of nothing else. `mfa` of `amr` is RFC 8176 section 2. */
export function oidcSaysSecondFactor(idToken: Claims): boolean {
  return (
    valuesOf(idToken, 'amr').includes('mfa') || valuesOf(idToken, 'acr').some((acr) => CONTEXTS.has(acr))
  );
}

/** SAML: of the assertion. */
export function samlSaysSecondFactor(contexts: readonly string[], attributes: Claims): boolean {
  return [...contexts, ...valuesOf(attributes, METHODS_ATTRIBUTE)].some((one) => CONTEXTS.has(one));
}

/** Whether the sign-in of a person counts as one with a second factor. */
export function countsAsSecondFactor({ settings }: ConnectionEntity, said: boolean): boolean {
  const { secondFactor = 'claimed' } = settings;
  return secondFactor === 'always' || (secondFactor === 'claimed' && said);
}

function valuesOf(claims: Claims, name: string): readonly string[] {
  return Object.hasOwn(claims, name) ? (claims[name] ?? []) : [];
}
