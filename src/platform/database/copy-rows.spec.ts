import { describe, expect, it } from 'vitest';
import { CopyRows } from './copy-rows.js';

const HEADER_BYTES = 19;

describe('rows to be copied', () => {
  it('have the form that PostgreSQL documents: header, rows of fields with their lengths, end', () => {
    const rows = new CopyRows();
    rows.row(6);
    rows.int4(-2);
    rows.int8(2 ** 40);
    rows.uuid('00112233-4455-6677-8899-aabbccddeeff');
    rows.timestamptz('2000-01-01T00:00:01.000002Z');
    rows.text('é');
    rows.bytea(Buffer.from([1, 2, 3]));
    const bytes = rows.finish();
    expect(bytes.subarray(0, HEADER_BYTES).toString('latin1')).toBe('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0');
    expect(bytes.subarray(HEADER_BYTES).toString('hex')).toBe(
      [
        '0006',
        '00000004fffffffe',
        '000000080000010000000000',
        '0000001000112233445566778899aabbccddeeff',
        '0000000800000000000f4242',
        '00000002c3a9',
        '00000003010203',
        'ffff',
      ].join(''),
    );
  });

  it('keep what is in them when they grow', () => {
    const rows = new CopyRows();
    const value = Buffer.alloc(50_000, 7);
    for (let at = 0; at < 10; at += 1) {
      rows.row(1);
      rows.bytea(value);
    }
    const bytes = rows.finish();
    expect(bytes.length).toBe(HEADER_BYTES + 10 * (2 + 4 + value.length) + 2);
    expect(bytes.subarray(-2 - value.length, -2).equals(value)).toBe(true);
  });

  it('refuse what is no UUID', () => {
    expect(() => new CopyRows().uuid('00112233-4455-6677-8899-aabbccddeegg')).toThrow(RangeError);
  });
});
