import { dictionary } from '@zxcvbn-ts/language-common';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { listedPasswords } from './listed-passwords.js';
import { isCommon, weaknesses } from './password-rules.js';

const OWNER = { email: 'grace.hopper@navy-lab.example', displayName: 'Rear Admiral Grace' };
const listed = await listedPasswords();
const of = (password: string): string[] => weaknesses(password, OWNER, listed);

describe('a password', () => {
  it.each(['correct horse battery staple 1', 'Xk9#vQ2!pLm4', 'zwölf Äpfel im Korb', 'tr0ub4dor&3 zebra'])(
    'is taken: %s',
    (password) => expect(of(password)).toEqual([]),
  );

  it.each([
    ['Short-1', /12 to 256/],
    [`Aa1 ${'xyz uvw '.repeat(40)}`, /12 to 256/],
    ['onlysmallletters', /three kinds/],
    ['small letters only', /three kinds/],
    ['3141592653589793', /three kinds/],
    ['my hopper is 42!', /your e-mail address or your name/],
    ['GRACE-ful 77 cats', /your e-mail address or your name/],
    ['Admiral on 9 seas', /your e-mail address or your name/],
    ['at Navy-Lab since 1944', /your e-mail address or your name/],
    ['Password1234!', /guessed first/],
    ['P@ssw0rd2026!!', /guessed first/],
    ['Summer2026!!!!', /guessed first/],
    ['!!Welcome_123456', /guessed first/],
    ['Admin-Admin-12345', /guessed first/],
    ['QwertyUiop123!', /guessed first/],
    ['abcABCabcABC!!', /guessed first|three kinds/],
    ['Ab1Ab1Ab1Ab1', /guessed first/],
    // Of published leaks, as they are, with ends, spelled with signs, and two in a row.
    ['1Q2w3e4r5t6y', /guessed first/],
    ['1Q2w3e4r5t6y!!', /guessed first/],
    ['Rangers-1994!', /guessed first/],
    ['R@ng3rs-1994!', /guessed first/],
    ['RangersCowboys7', /guessed first/],
    ['(Penelope 1987)', /guessed first/],
  ])('is not taken: %s', (password, why) => {
    expect(of(password).join('; ')).toMatch(why);
  });

  it('is called common where leaks have it, among many thousands of them, with whatever ends', () => {
    expect(listed.size).toBeGreaterThan(40_000);
    const leaked = dictionary['passwords-common'];
    expect(leaked.filter((one) => !isCommon(one, listed))).toEqual([]);
    // Of some, a sign at an end is part of what is listed.
    const words = leaked.filter((one) => /^[a-z0-9].*[a-z0-9]$/.test(one));
    expect(words.length).toBeGreaterThan(40_000);
    expect(words.filter((one) => !isCommon(`(${one.toUpperCase()})!`, listed))).toEqual([]);
    for (const one of ['123456', 'qwerty', 'penelope', 'rangers', '1q2w3e4r5t6y'])
      expect(listed.has(one)).toBe(true);
    for (const one of ['', 'zwölf', 'xk9vq2plm4', '~', '\u{10ffff}']) expect(listed.has(one)).toBe(false);
  });

  it('of random characters is never called common', () => {
    const characters = fc.string({
      unit: fc.constantFrom(...'bcdfghjkmnpqrstvwxz2345679#%&'),
      minLength: 24,
      maxLength: 40,
    });
    fc.assert(
      fc.property(characters, (password) => {
        fc.pre(new Set(password).size >= 10);
        expect(isCommon(password, listed)).toBe(false);
      }),
    );
  });

  it('is told to be longer or shorter exactly where it has fewer than 12 or more than 256 characters', () => {
    const texts = fc.string({ unit: 'binary', maxLength: 300 });
    fc.assert(
      fc.property(texts, (password) => {
        const { length } = [...password.normalize('NFKC')];
        expect(of(password).some((why) => why.includes('12 to 256'))).toBe(length < 12 || length > 256);
      }),
    );
  });
});
