import { describe, expect, it } from 'vitest';
import { base32, hotp, matchingStep, newTotpSecret, otpauthUri, totpStep } from './totp.js';

const SECRET = Buffer.from('12345678901234567890');

describe('codes', () => {
  it.each([
    [0, '755224'],
    [1, '287082'],
    [2, '359152'],
    [3, '969429'],
    [4, '338314'],
    [5, '254676'],
    [6, '287922'],
    [7, '162583'],
    [8, '399871'],
    [9, '520489'],
  ])('of counter %i are those of RFC 4226, appendix D', (counter, code) => {
    expect(hotp(SECRET, counter)).toBe(code);
  });

  it.each([
    [59, '94287082'],
    [1_111_111_109, '07081804'],
    [1_111_111_111, '14050471'],
    [1_234_567_890, '89005924'],
    [2_000_000_000, '69279037'],
    [20_000_000_000, '65353130'],
  ])('at second %i are those of RFC 6238, appendix B', (second, code) => {
    expect(hotp(SECRET, totpStep(second * 1_000), 8)).toBe(code);
  });

  it('count for the step of now, the one before and the one after, and no other', () => {
    const now = 1_234_567_890_000;
    const step = totpStep(now);
    for (const drift of [-1, 0, 1])
      expect(matchingStep(SECRET, hotp(SECRET, step + drift), now)).toBe(step + drift);
    for (const drift of [-3, -2, 2, 3])
      expect(matchingStep(SECRET, hotp(SECRET, step + drift), now)).toBeUndefined();
  });

  it.each(['', '12345', '1234567', '１２３４５６', '00000a'])('of another form are none: %j', (code) => {
    expect(matchingStep(SECRET, code, Date.now())).toBeUndefined();
  });
});

describe('a secret', () => {
  it.each([
    ['', ''],
    ['f', 'MY'],
    ['fo', 'MZXQ'],
    ['foo', 'MZXW6'],
    ['foob', 'MZXW6YQ'],
    ['fooba', 'MZXW6YTB'],
    ['foobar', 'MZXW6YTBOI'],
  ])('is written as RFC 4648, section 10 has it: %j', (bytes, text) => {
    expect(base32(Buffer.from(bytes))).toBe(text);
  });

  it('has 160 bits, and is another each time', () => {
    expect(newTotpSecret()).toHaveLength(20);
    expect(newTotpSecret().equals(newTotpSecret())).toBe(false);
  });

  it('goes to an app with the names of organisation and person, whatever signs are in them', () => {
    const uri = new URL(otpauthUri(SECRET, { issuer: 'A & B: c', account: 'x+y@z.example' }));
    expect(uri.href).toMatch(/^otpauth:\/\/totp\/A%20%26%20B%3A%20c:x%2By%40z\.example\?/);
    expect(Object.fromEntries(uri.searchParams)).toEqual({
      secret: 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ',
      issuer: 'A & B: c',
      algorithm: 'SHA1',
      digits: '6',
      period: '30',
    });
  });
});
