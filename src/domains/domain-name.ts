import { domainToASCII } from 'node:url';

/** Letters, digits and hyphens (RFC 1123 section 2.1), at least two labels; the last is no number, so that no address passes. */
const NAME =
  /^(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?!\d+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])$/;

/** The one form in which a domain is kept and compared: lower case, without a last dot, other scripts as RFC 5891 says. */
export function canonicalDomain(text: string): string | undefined {
  // `domainToASCII` reads as a URL does: what follows a slash would be cut off, and not refused.
  if (/[/\\:@?#[\]%\s]/.test(text.trim())) return undefined;
  const name = domainToASCII(text.trim().replace(/\.$/, '')).toLowerCase();
  return NAME.test(name) ? name : undefined;
}

/** The domain of an e-mail address; undefined for what is none. A quoted local part may hold an `@`: the last one counts. */
export function domainOf(email: string): string | undefined {
  const at = email.lastIndexOf('@');
  return at < 1 ? undefined : canonicalDomain(email.slice(at + 1));
}
