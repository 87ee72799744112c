import { ScimError } from './scim.errors.js';

export type Token =
  | { readonly kind: 'word'; readonly text: string }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: '(' | ')' | '[' | ']' };

/** Longer than anybody asks. */
const LONGEST = 8_192;
const WORD = /[A-Za-z0-9_:.$+-]/;
const PUNCTUATION = new Set(['(', ')', '[', ']']);

/** The tokens of a filter or path (RFC 7644 figure 1). @throws {ScimError} */
export function tokensOf(text: string, scimType: 'invalidFilter' | 'invalidPath'): Token[] {
  if (text.length > LONGEST) throw new ScimError(scimType, `It must have at most ${LONGEST} characters.`);
  const tokens: Token[] = [];
  for (let at = 0; at < text.length;) {
    const character = text.charAt(at);
    if (character === ' ' || character === '\t') at += 1;
    else if (PUNCTUATION.has(character)) {
      tokens.push({ kind: character as '(' });
      at += 1;
    } else if (character === '"') {
      const end = endOfString(text, at);
      tokens.push({ kind: 'string', value: stringOf(text.slice(at, end), scimType) });
      at = end;
    } else if (WORD.test(character)) {
      let end = at;
      while (end < text.length && WORD.test(text.charAt(end))) end += 1;
      tokens.push({ kind: 'word', text: text.slice(at, end) });
      at = end;
    } else throw new ScimError(scimType, `"${character}" cannot stand where it does.`);
  }
  return tokens;
}

/** The index behind the closing quote; the end of the text where there is none. */
function endOfString(text: string, begin: number): number {
  for (let at = begin + 1; at < text.length; at += 1) {
    if (text.charAt(at) === '\\') at += 1;
    else if (text.charAt(at) === '"') return at + 1;
  }
  return text.length;
}

/** Strings are those of JSON. */
function stringOf(quoted: string, scimType: 'invalidFilter' | 'invalidPath'): string {
  try {
    const value: unknown = JSON.parse(quoted);
    if (typeof value === 'string' && value.isWellFormed() && !value.includes('\0')) return value;
  } catch {
    // Said below.
  }
  throw new ScimError(scimType, 'A text in it is not closed, or is none that JSON can hold.');
}
