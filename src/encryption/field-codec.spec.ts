import { createSecretKey, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  FieldUnreadable,
  headerOf,
  openField,
  openUnderKms,
  OVERHEAD,
  rewrapField,
  sealField,
  sealUnderKms,
  wrappedByKms,
  type NamedKey,
} from './field-codec.js';
import type { FieldPlace } from './field-place.js';

const PLACE: FieldPlace = { tenant: 't_0000000000000001', table: 'users', column: 'email', row: 'r1' };
const newKey = (): NamedKey => ({ id: randomBytes(16), key: createSecretKey(randomBytes(32)) });

/** A suite as its users see it: what seals, what opens, and the bytes of the key's id that stand in the clear. */
interface Sealer {
  readonly id: Buffer;
  seal(place: FieldPlace, value: Buffer): Buffer;
  open(place: FieldPlace, stored: Buffer): Buffer;
}

/** One KMS of the test: keeps its data keys under what it made of them. */
function kms(): Sealer {
  const id = randomBytes(16);
  const known = new Map<string, Buffer>();
  return {
    id,
    seal: (place, value) => {
      const plaintext = randomBytes(32);
      const wrapped = randomBytes(184);
      known.set(wrapped.toString('hex'), Buffer.from(plaintext));
      return sealUnderKms(id, { plaintext, wrapped }, place, value);
    },
    open: (place, stored) => {
      const dek = known.get(wrappedByKms(stored).toString('hex'));
      if (!dek) throw new FieldUnreadable();
      return openUnderKms(dek, place, stored);
    },
  };
}

const SUITES: Record<string, () => Sealer> = {
  "the tenant's key": () => {
    const kek = newKey();
    return {
      id: kek.id,
      seal: (place, value) => sealField(kek, place, value),
      open: (place, stored) => openField(kek, place, stored),
    };
  },
  'the KMS, a call a value': kms,
};

describe.each(Object.entries(SUITES))('a field sealed under %s', (_name, make) => {
  it('opens again, whatever its length and its place', () => {
    const sealer = make();
    const part = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'));
    const place = fc.record({ tenant: part, table: part, column: part, row: fc.string() });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5_000 }), place, (bytes, where) => {
        const value = Buffer.from(bytes);
        const stored = sealer.seal(where, value);
        expect(sealer.open(where, stored).equals(value)).toBe(true);
        expect(headerOf(stored).keyId).toBe(sealer.id.toString('hex'));
      }),
    );
  });

  it('never repeats a nonce, and does not show what it holds', () => {
    const sealer = make();
    const value = Buffer.from('the same value each time');
    const all = Array.from({ length: 500 }, () => sealer.seal(PLACE, value));
    const nonces = all.map((stored) => stored.subarray(-(value.length + 16 + 12), -(value.length + 16)));
    expect(new Set(nonces.map((nonce) => nonce.toString('hex'))).size).toBe(500);
    expect(all.some((stored) => stored.includes(value))).toBe(false);
  });

  it('cannot be moved to another tenant, table, column or row', () => {
    const sealer = make();
    const stored = sealer.seal(PLACE, Buffer.from('value'));
    const others = { tenant: 't_0000000000000002', table: 'runs', column: 'phone', row: 'r2' };
    for (const [part, other] of Object.entries(others))
      expect(() => sealer.open({ ...PLACE, [part]: other }, stored)).toThrow(FieldUnreadable);
  });

  it('tells places apart whose parts run together', () => {
    const sealer = make();
    const stored = sealer.seal({ ...PLACE, table: 'ab', column: 'c' }, Buffer.from('value'));
    expect(() => sealer.open({ ...PLACE, table: 'a', column: 'bc' }, stored)).toThrow(FieldUnreadable);
  });

  it('refuses every flipped bit, with one error that says nothing', () => {
    const sealer = make();
    const stored = sealer.seal(PLACE, Buffer.from('value'));
    for (let bit = 0; bit < stored.length * 8; bit += 1) {
      // The key's id is for finding the key; with another one, another key is found or none.
      if (bit >> 3 >= 2 && bit >> 3 < 18) continue;
      const altered = Buffer.from(stored);
      altered[bit >> 3] = (altered[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => sealer.open(PLACE, altered), `bit ${bit}`).toThrow('The encrypted field cannot be read.');
    }
  });

  it('refuses every truncation, an appended byte, and another key', () => {
    const sealer = make();
    const stored = sealer.seal(PLACE, Buffer.from('value'));
    for (let length = 0; length < stored.length; length += 1)
      expect(() => sealer.open(PLACE, stored.subarray(0, length)), `${length}`).toThrow(FieldUnreadable);
    expect(() => sealer.open(PLACE, Buffer.concat([stored, Buffer.of(0)]))).toThrow(FieldUnreadable);
    expect(() => make().open(PLACE, stored)).toThrow(FieldUnreadable);
  });

  it('never throws anything else, whatever the bytes', () => {
    const sealer = make();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(0, 1, 2, 3, 4, 5), (bytes, suite) => {
        const stored = Buffer.concat([Buffer.of(1, suite), sealer.id, Buffer.from(bytes)]);
        expect(() => sealer.open(PLACE, stored)).toThrow(FieldUnreadable);
        expect(() => sealer.open(PLACE, Buffer.from(bytes))).toThrow(FieldUnreadable);
      }),
    );
  });

  it('is not taken for one of another suite', () => {
    const sealer = make();
    for (const [name, other] of Object.entries(SUITES)) {
      if (other === make) continue;
      const foreign = other().seal(PLACE, Buffer.from('value'));
      sealer.id.copy(foreign, 2);
      expect(() => sealer.open(PLACE, foreign), name).toThrow(FieldUnreadable);
    }
  });
});

it("a field sealed under the tenant's key is no more than 140 bytes longer than its value", () => {
  expect(sealField(newKey(), PLACE, Buffer.alloc(64)).length - 64).toBe(OVERHEAD);
  expect(OVERHEAD).toBeLessThanOrEqual(140);
});

it('the KMS has its key back unharmed by opening, and wiped by sealing', () => {
  const plaintext = randomBytes(32);
  const before = Buffer.from(plaintext);
  const stored = sealUnderKms(randomBytes(16), { plaintext, wrapped: Buffer.alloc(60, 1) }, PLACE, before);
  expect(plaintext.equals(Buffer.alloc(32))).toBe(true);
  const given = Buffer.from(before);
  openUnderKms(given, PLACE, stored);
  expect(given.equals(before)).toBe(true);
});

describe('a rewrapped field', () => {
  const [from, to] = [newKey(), newKey()];

  it('opens under the new key and no longer under the old one, and what holds the value is untouched', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), (bytes) => {
        const value = Buffer.from(bytes);
        const stored = sealField(from, PLACE, value);
        const rewrapped = rewrapField(from, to, PLACE, stored);
        expect(openField(to, PLACE, rewrapped).equals(value)).toBe(true);
        expect(headerOf(rewrapped).keyId).toBe(to.id.toString('hex'));
        expect(() => openField(from, PLACE, rewrapped)).toThrow(FieldUnreadable);
        // Commitment, nonce, ciphertext and tag stand after the header and the wrapped data key.
        expect(rewrapped.subarray(18 + 60).equals(stored.subarray(18 + 60))).toBe(true);
      }),
    );
  });

  it('is not made of what was altered, belongs elsewhere or is under another key', () => {
    const stored = sealField(from, PLACE, Buffer.from('value'));
    const header = 18 + 60 + 32;
    for (let at = 0; at < header; at += 1) {
      if (at >= 2 && at < 18) continue;
      const altered = Buffer.from(stored);
      altered[at] = (altered[at] ?? 0) ^ 1;
      expect(() => rewrapField(from, to, PLACE, altered), `byte ${at}`).toThrow(FieldUnreadable);
    }
    expect(() => rewrapField(from, to, { ...PLACE, row: 'r2' }, stored)).toThrow(FieldUnreadable);
    expect(() => rewrapField(newKey(), to, PLACE, stored)).toThrow(FieldUnreadable);
  });
});
