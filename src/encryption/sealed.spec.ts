import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Sealed } from './sealed.js';

describe('a sealed value', () => {
  it('shows nothing of itself when it is logged, inspected, joined or serialised', () => {
    const value = Sealed.of('secret@example.com');
    const shown = [
      JSON.stringify({ value }),
      inspect({ value }),
      inspect(value),
      String(value),
      JSON.stringify([value]),
    ];
    for (const text of shown) expect(text).not.toContain('secret');
  });

  it('is revealed on request', () => {
    expect(Sealed.of({ a: 1 }).reveal()).toEqual({ a: 1 });
  });

  it('hands pg nothing that could be sent, until it is sealed', () => {
    const value = Sealed.of('plain');
    const column = value.ciphertext() as { toPostgres(): never };
    expect(() => column.toPostgres()).toThrow(/without being sealed/);
    value.seal((plain) => Buffer.from(`sealed ${plain.length}`));
    expect(value.ciphertext()).toEqual(Buffer.from('sealed 5'));
  });

  it('opens a stored value once, at the first look', () => {
    let opened = 0;
    const value = Sealed.stored<string>(Buffer.from('x'));
    expect(() => value.reveal()).toThrow(/not loaded through its repository/);
    value.bind((bytes) => {
      opened += 1;
      return `opened ${String(bytes)}`;
    });
    expect(opened).toBe(0);
    expect([value.reveal(), value.reveal()]).toEqual(['opened x', 'opened x']);
    expect(opened).toBe(1);
  });
});
