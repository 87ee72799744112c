import fc from 'fast-check';
import { expect, it } from 'vitest';
import { safeReturnTo } from './return-to.js';

const BASE = 'https://waxell.example';

it.each([
  ['/', '/'],
  ['/agents?page=2#top', '/agents?page=2#top'],
  ['/a/../b', '/b'],
])('leads to %j', (given, path) => expect(safeReturnTo(given, BASE)).toBe(path));

it.each([
  '//evil.example',
  '/\\evil.example',
  '\\\\evil.example',
  'https://evil.example/',
  'javascript:alert(1)',
  '/\t/evil.example',
  '/%0d%0aSet-Cookie:a\r\nb',
  '/a\\b',
  'agents',
  '',
  ' /agents',
  undefined,
  ['/a', '/b'],
  { path: '/' },
  `/${'a'.repeat(2_001)}`,
  '/..//evil.example',
])('does not lead to %j', (given) => expect(safeReturnTo(given, BASE)).toBe('/'));

it('never leads to another site, whatever is given', () => {
  const parts = fc.constantFrom(
    '/',
    '\\',
    '.',
    '..',
    '@',
    ':',
    '?',
    '#',
    '%2f',
    'evil.example',
    'https:',
    '\t',
    ' ',
  );
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 12 }), (given) => {
      const path = safeReturnTo(given.join(''), BASE);
      expect(new URL(path, BASE).origin).toBe(BASE);
      expect(path.startsWith('/')).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});
