import { COMMON_WORDS } from './common-words.js';
import type { ListedPasswords } from './listed-passwords.js';

/** Whose password it is: what somebody who knows the person tries first. */
export interface PasswordOwner {
  readonly email: string;
  readonly displayName?: string | undefined;
}

export const SHORTEST = 12;
export const LONGEST = 256;
const LENGTH = `password must have ${SHORTEST} to ${LONGEST} characters`;
const CLASSES: readonly RegExp[] = [/\p{Ll}|\p{Lo}/u, /\p{Lu}|\p{Lt}/u, /\p{N}/u, /[^\p{L}\p{N}]/u];
const CLASSES_NEEDED = 3;
/** Parts of names and addresses shorter than this occur in any text. */
const SHORTEST_PART = 4;
const FEWEST_CHARACTERS = 6;

/**
 * What is wrong with a password, in words; nothing for one that may be taken. Characters of three of four kinds are asked
 * for because customers' own rules do; NIST SP 800-63B would not (section 3.1.1.2). What makes passwords hard to guess is
 * the rest: length, nothing of the person, and nothing that is common or was leaked.
 */
export function weaknesses(password: string, owner: PasswordOwner, listed: ListedPasswords): string[] {
  const text = password.normalize('NFKC');
  const found: string[] = [];
  const length = [...text].length;
  // Nothing else is looked at in what is too long: that takes time.
  if (length > LONGEST) return [LENGTH];
  if (length < SHORTEST) found.push(LENGTH);
  if (CLASSES.filter((kind) => kind.test(text)).length < CLASSES_NEEDED)
    found.push(
      'password must have characters of three kinds: small letters, capital letters, digits, others (a space counts)',
    );
  if (ownParts(owner).some((part) => folded(text).includes(part)))
    found.push('password must not contain your e-mail address or your name');
  if (isCommon(text, listed)) found.push('password is one of those that are guessed first: choose another');
  return found;
}

function ownParts({ email, displayName = '' }: PasswordOwner): string[] {
  const [local = '', domain = ''] = email.split('@');
  // The domain's last label is no secret, and no part of a person.
  const labels = domain.split('.').slice(0, -1);
  const parts = [
    local,
    ...local.split(/[^\p{L}\p{N}]+/u),
    ...labels,
    ...displayName.split(/[^\p{L}\p{N}]+/u),
  ];
  return parts.map(folded).filter((part) => part.length >= SHORTEST_PART);
}

function folded(text: string): string {
  return text.normalize('NFKC').toLowerCase();
}

/**
 * Whether it is little more than one or two common words, or passwords of leaks, with digits and signs, or a few characters
 * again and again.
 */
export function isCommon(password: string, listed: ListedPasswords): boolean {
  const text = folded(password);
  if (new Set(text).size < FEWEST_CHARACTERS || isRepeated(text) || isSequence(text)) return true;
  const cores = [text, between(text, LETTER), between(text, LETTER_OR_DIGIT)];
  const readings = [...cores, ...cores.map(spelledOut)];
  const letters = readings.map(lettersOf);
  return (
    letters.some((one) => one === '' || isWords(one, 2)) ||
    [...readings, ...letters].some((one) => listed.makeUp(one))
  );
}

const LETTER = /\p{L}/u;
const LETTER_OR_DIGIT = /[\p{L}\p{N}]/u;

/** From the first character of a kind to the last. Character by character: patterns for it go back and forth. */
function between(text: string, kind: RegExp): string {
  const characters = [...text];
  const first = characters.findIndex((one) => kind.test(one));
  const last = characters.findLastIndex((one) => kind.test(one));
  return characters.slice(Math.max(first, 0), last + 1).join('');
}

function lettersOf(text: string): string {
  return [...text].filter((one) => LETTER.test(one)).join('');
}

/** Digits and signs that stand for letters. */
const STANDS_FOR: Readonly<Record<string, string>> = {
  '0': 'o',
  '1': 'i',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '8': 'b',
  '@': 'a',
  $: 's',
  '!': 'i',
  '|': 'l',
  '+': 't',
};

function spelledOut(text: string): string {
  return text.replace(/[0134578@$!|+]/g, (sign) => STANDS_FOR[sign] ?? sign);
}

/** Whether letters are nothing but so many common words, one after the other. */
function isWords(letters: string, most: number): boolean {
  if (COMMON_WORDS.has(letters)) return true;
  if (most === 1) return false;
  for (let at = 1; at < letters.length; at += 1)
    if (COMMON_WORDS.has(letters.slice(0, at)) && isWords(letters.slice(at), most - 1)) return true;
  return false;
}

/** `abcabcabcabc` */
function isRepeated(text: string): boolean {
  for (let length = 1; length <= text.length / 3; length += 1)
    if (text.slice(length) === text.slice(0, -length)) return true;
  return false;
}

/** `123456789012`, `abcdefghijkl`, and the same backwards. */
function isSequence(text: string): boolean {
  const codes = [...text].map((character) => character.codePointAt(0) ?? 0);
  const steps = codes.slice(1).map((code, at) => code - (codes[at] ?? 0));
  const along = Math.max(...[1, -1].map((step) => steps.filter((one) => one === step).length));
  return along >= steps.length * 0.8;
}
