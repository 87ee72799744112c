import { createSecretKey, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  FieldUnreadable,
  kekIdOf,
  openField,
  OVERHEAD,
  sealField,
  type FieldPlace,
  type Kek,
} from './field-codec.js';

const PLACE: FieldPlace = { tenant: 't_0000000000000001', table: 'users', column: 'email', row: 'r1' };
const newKek = (): Kek => ({ id: randomBytes(16), key: createSecretKey(randomBytes(32)) });

describe('the field codec', () => {
  it('opens what it sealed, of any length', () => {
    const kek = newKek();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5_000 }), (bytes) => {
        const value = Buffer.from(bytes);
        const stored = sealField(kek, PLACE, value);
        expect(stored.length).toBe(value.length + OVERHEAD);
        expect(openField(kek, PLACE, stored).equals(value)).toBe(true);
      }),
    );
  });

  it('adds no more than 140 bytes', () => {
    expect(OVERHEAD).toBeLessThanOrEqual(140);
  });

  it('names its key, and never repeats a nonce or a wrapped key', () => {
    const kek = newKek();
    const all = Array.from({ length: 500 }, () => sealField(kek, PLACE, Buffer.from('same')).toString('hex'));
    expect(new Set(all.map((stored) => stored.slice(36, 60))).size).toBe(500);
    expect(new Set(all.map((stored) => stored.slice(220, 244))).size).toBe(500);
    expect(kekIdOf(Buffer.from(all[0] ?? '', 'hex'))).toBe(kek.id.toString('hex'));
  });

  it('refuses a ciphertext moved to another tenant, table, column or row', () => {
    const kek = newKek();
    const stored = sealField(kek, PLACE, Buffer.from('value'));
    for (const [part, other] of Object.entries({
      tenant: 't_0000000000000002',
      table: 'runs',
      column: 'phone',
      row: 'r2',
    })) {
      expect(() => openField(kek, { ...PLACE, [part]: other }, stored)).toThrow(FieldUnreadable);
    }
  });

  it('tells places apart whose parts run together', () => {
    const kek = newKek();
    const stored = sealField(kek, { ...PLACE, table: 'ab', column: 'c' }, Buffer.from('value'));
    expect(() => openField(kek, { ...PLACE, table: 'a', column: 'bc' }, stored)).toThrow(FieldUnreadable);
  });

  it('refuses every flipped bit, with one error that says nothing', () => {
    const kek = newKek();
    const stored = sealField(kek, PLACE, Buffer.from('value'));
    for (let bit = 0; bit < stored.length * 8; bit += 1) {
      const altered = Buffer.from(stored);
      altered[bit >> 3] = (altered[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      // The key's id is for finding the key; it is not what authenticates.
      if (bit >> 3 >= 2 && bit >> 3 < 18) continue;
      expect(() => openField(kek, PLACE, altered), `bit ${bit}`).toThrow(
        'The encrypted field cannot be read.',
      );
    }
  });

  it('refuses every truncation, and another key', () => {
    const stored = sealField(newKek(), PLACE, Buffer.from('value'));
    for (let length = 0; length < stored.length; length += 1) {
      expect(() => openField(newKek(), PLACE, stored.subarray(0, length))).toThrow(FieldUnreadable);
    }
    expect(() => openField(newKek(), PLACE, stored)).toThrow(FieldUnreadable);
  });

  it('never throws anything else, whatever the bytes', () => {
    const kek = newKek();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const stored = Buffer.concat([Buffer.from([1, 1]), kek.id, Buffer.from(bytes)]);
        expect(() => openField(kek, PLACE, stored)).toThrow(FieldUnreadable);
      }),
    );
  });
});
