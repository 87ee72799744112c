import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { canonicalJson, fingerprint } from './fingerprint.js';

it('does not depend on the order of members', () => {
  expect(fingerprint({ a: 1, b: { c: 2, d: 3 } })).toBe(fingerprint({ b: { d: 3, c: 2 }, a: 1 }));
});

it('differs when a message differs or moves', () => {
  const calls = [[['a', 'b']], [['b', 'a']], [['ab']], [['a'], ['b']]];
  expect(new Set(calls.map(fingerprint)).size).toBe(calls.length);
});

it('is JSON of the same value', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
      const plain: unknown = JSON.parse(JSON.stringify(value));
      expect(JSON.parse(canonicalJson(plain))).toEqual(plain);
    }),
  );
});
