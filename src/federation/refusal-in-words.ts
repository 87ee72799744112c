import { REFUSALS } from './federation.errors.js';
import { SAML_REFUSALS } from './saml/saml-refusals.js';

const WORDS: Readonly<Record<string, string>> = { ...REFUSALS, ...SAML_REFUSALS };

/** What a reason means, for who administers the connection. */
export function refusalInWords(code: string): string {
  return WORDS[code] ?? code;
}
