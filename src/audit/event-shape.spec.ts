import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventShape } from './event-shape.js';

const MODEL = { v: 1, id: 'abcd', list: ['one', { deep: 'two' }], outcome: 'success', n: -1.5, no: null };

function wordsOf(event: Buffer): Int32Array {
  const padded = Buffer.alloc(4 * Math.ceil(event.length / 4) + 4);
  event.copy(padded);
  return new Int32Array(padded.buffer, padded.byteOffset, padded.length / 4);
}

function fits(model: string, other: string | Buffer): boolean {
  return new EventShape(Buffer.from(model)).fits(wordsOf(Buffer.from(other)));
}

/** A value with each of its texts another one of the same length; names and all else stay. */
function retold(value: unknown, text: (length: number) => string): unknown {
  if (typeof value === 'string') return text(value.length);
  if (Array.isArray(value)) return value.map((item) => retold(item, text));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, retold(item, text)]));
}

describe('the shape of an event', () => {
  const model = JSON.stringify(MODEL);
  const plain = fc.string({ unit: fc.constantFrom(...'aZ09 ~!#[]{}:,/'), minLength: 7, maxLength: 7 });

  it('is that of every event with other texts of the same lengths', () => {
    fc.assert(
      fc.property(plain, (text) => {
        expect(fits(model, JSON.stringify(retold(MODEL, (length) => text.slice(0, length))))).toBe(true);
      }),
    );
  });

  it('is never that of an event that JSON reads as other members', () => {
    const bytes = Buffer.from(model);
    let same = 0;
    fc.assert(
      fc.property(
        fc.nat(bytes.length - 1),
        fc.nat(255),
        fc.nat(bytes.length - 1),
        fc.nat(255),
        (at, byte, also, too) => {
          const other = Buffer.from(bytes);
          [other[at], other[also]] = [byte, too];
          if (!fits(model, other)) return;
          same += 1;
          expect([...other].every((one) => one >= 0x20 && one < 0x80)).toBe(true);
          const blank = (value: unknown): unknown => retold(value, (length) => '-'.repeat(length));
          expect(blank(JSON.parse(other.toString()))).toEqual(blank(MODEL));
        },
      ),
      { numRuns: 5_000 },
    );
    expect(same).toBeGreaterThan(5);
  });

  it.each(['"', '\\', '\n', '\u0000', '\u001f'])(
    'is not that of an event with %j in a text, wherever',
    (special) => {
      for (let at = 0; at < 8; at += 1) {
        const text = '{"a":"12345678"}';
        expect(fits(text, text.replace(String(at + 1), special))).toBe(false);
      }
    },
  );

  it('is not that of an event with a byte beyond ASCII', () => {
    expect(fits('{"a":"12345678"}', Buffer.from('{"a":"1234567\xff"}', 'latin1'))).toBe(false);
  });
});
