import { hash } from 'node:crypto';
import { expect, it } from 'vitest';
import { Log } from '../platform/observability/log.js';
import { BreachedPasswords, isListed, type BreachRanges } from './breached-passwords.js';

const PASSWORD = 'correct horse battery staple 1';
const DIGEST = hash('sha1', PASSWORD, 'hex').toUpperCase();

function listing(lines: (suffix: string) => string): { asked: string[]; breached: BreachedPasswords } {
  const asked: string[] = [];
  const ranges: BreachRanges = {
    range: (prefix) => {
      asked.push(prefix);
      return Promise.resolve(lines(DIGEST.slice(5)));
    },
  };
  return { asked, breached: new BreachedPasswords(ranges, new Log('silent')) };
}

it('finds a password in the range of its hash, and tells no more of it than five characters', async () => {
  const { asked, breached } = listing((suffix) => `${'0'.repeat(35)}:3\r\n${suffix}:17\r\n`);
  expect(await breached.has(PASSWORD)).toBe(true);
  expect(asked).toEqual([DIGEST.slice(0, 5)]);
});

it('takes no padding for a password', () => {
  expect(isListed(`${'A'.repeat(35)}:0`, 'A'.repeat(35))).toBe(false);
  expect(isListed(`${'A'.repeat(35)}:1`, 'A'.repeat(35))).toBe(true);
  expect(isListed('', 'A'.repeat(35))).toBe(false);
});

it('keeps nobody from setting a password where there is no answer, or nobody to ask', async () => {
  const failing: BreachRanges = { range: () => Promise.reject(new Error('gone')) };
  expect(await new BreachedPasswords(failing, new Log('silent')).has(PASSWORD)).toBe(false);
  expect(await new BreachedPasswords(null, new Log('silent')).has(PASSWORD)).toBe(false);
});
