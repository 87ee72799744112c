import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CopyRows } from '../platform/database/index.js';
import { canonicalEvent, newEventId, searchColumns, type SearchColumns } from './audit-event.js';
import { CanonicalScan } from './canonical-scan.js';
import { EventRow } from './event-row.js';

const TENANT = { id: 't_0123456789abcdef', region: 'eu-west-1' };
const HASH = Buffer.alloc(32, 7);
const HEADER = 19;
const END = 2;

/** The row of an event, as the database sends it. */
function rowOf(event: Buffer, { id, at, action, actor, outcome }: SearchColumns): EventRow {
  const rows = new CopyRows();
  rows.row(9);
  rows.int8(2 ** 33 + 5);
  rows.uuid(id);
  rows.timestamptz(at);
  for (const text of [action, actor, outcome]) rows.text(text);
  for (const bytes of [event, HASH, HASH]) rows.bytea(bytes);
  const row = new EventRow();
  expect(row.read(rows.finish().subarray(HEADER, -END))).toBe(true);
  return row;
}

/** The same whether the event is read by itself, or beside one of its length that was read before. */
function agrees(
  event: Buffer,
  columns: SearchColumns,
  before: readonly (readonly [Buffer, SearchColumns])[] = [],
): boolean {
  const alone = new CanonicalScan(TENANT.id).agrees(rowOf(event, columns));
  const scan = new CanonicalScan(TENANT.id);
  for (const [other, its] of [...before, [event, columns] as const])
    scan.agrees(rowOf(other, its), wordsOf(other));
  const beside = scan.agrees(rowOf(event, columns), wordsOf(event));
  expect(beside).toBe(alone);
  return alone;
}

function wordsOf(event: Buffer): Int32Array {
  const padded = Buffer.alloc(4 * Math.ceil(event.length / 4) + 4);
  event.copy(padded);
  return new Int32Array(padded.buffer, padded.byteOffset, padded.length / 4);
}

const TEXT = fc.string({ unit: fc.constantFrom(...'abcXYZ019 _-/.:{}[],') });
const ASCII = fc.record({
  resource: fc.option(fc.record({ type: TEXT, id: TEXT }), { nil: undefined }),
  changes: fc.option(
    fc.dictionary(
      TEXT.filter((name) => name !== '__proto__'),
      fc.jsonValue({ stringUnit: fc.constantFrom('a', '1', '-') }),
    ),
    { nil: undefined },
  ),
  sessionId: fc.option(TEXT, { nil: undefined }),
  reason: fc.option(TEXT, { nil: undefined }),
  policies: fc.option(fc.array(TEXT), { nil: undefined }),
});

function made({ sessionId, ...rest }: typeof ASCII extends fc.Arbitrary<infer T> ? T : never) {
  const actor = { type: 'user', id: 'bob', ...(sessionId !== undefined && { sessionId }) } as const;
  const event = { action: 'agent.read', outcome: 'success', actor, ...rest } as const;
  return canonicalEvent(newEventId(), TENANT, event, Buffer.from('sealed'));
}

describe('what is told of an event without parsing it', () => {
  it('is that its columns say the same, of every event of ours that is plain ASCII', () => {
    fc.assert(
      fc.property(ASCII, (given) => {
        const { bytes, search } = made(given);
        // What JSON writes with an exponent or a backslash is left to the parser. Of what was drawn: an id may look like one.
        fc.pre(!/\\|\d[eE][+-]?\d/.test(JSON.stringify(given)) && /^[\x20-\x7e]*$/.test(bytes.toString()));
        expect(agrees(bytes, search)).toBe(true);
        expect(rowOf(bytes, search).checked()).toMatchObject({ ...search, seq: String(2 ** 33 + 5) });
      }),
    );
  });

  it('is never more than the parser says, however the event or the columns were changed', () => {
    let same = 0;
    const texts = [
      '"',
      '\\',
      '}',
      '{',
      ',"action":"x"',
      ',"actor":{"id":"eve"}',
      ',"v":2',
      ' ',
      '0',
      'e',
      'é',
      '\0',
    ];
    fc.assert(
      fc.property(
        ASCII,
        fc.nat(),
        fc.constantFrom(...texts),
        fc.nat(3),
        fc.constantFrom<keyof SearchColumns | 'none'>(
          'none',
          'none',
          'action',
          'actor',
          'outcome',
          'at',
          'id',
        ),
        (given, place, text, cut, column) => {
          const { bytes, search } = made(given);
          const at = place % (bytes.length + 1);
          const event = Buffer.concat([bytes.subarray(0, at), Buffer.from(text), bytes.subarray(at + cut)]);
          const other = { action: 'x', actor: 'eve', outcome: 'denied' } as const;
          const changed = {
            at: '2026-01-31T12:00:00.000001Z',
            id: newEventId(),
            ...other,
          };
          const columns = column === 'none' ? search : { ...search, [column]: changed[column] };
          for (const [written, beside] of [
            [event, search],
            [bytes, columns],
            [event, columns],
          ] as const) {
            const parsed = searchColumns(written, TENANT.id);
            const truth = parsed !== undefined && JSON.stringify(parsed) === JSON.stringify(beside);
            if (agrees(written, beside, [[bytes, search]])) {
              same += 1;
              expect(truth).toBe(true);
            }
          }
        },
      ),
      { numRuns: 400 },
    );
    expect(same).toBeGreaterThan(5);
  });

  it.each([
    ['another tenant', (text: string) => text.replace(TENANT.id, 't_fedcba9876543210')],
    ['a day that there is not', (text: string) => text.replace(/"at":"\d{4}-\d\d-\d\d/, '"at":"2026-02-30')],
    ['an hour that there is not', (text: string) => text.replace(/T\d\d:/, 'T24:')],
    ['a member that counts, once more', (text: string) => text.replace(/}$/, ',"outcome":"denied"}')],
    ['an actor with another id behind', (text: string) => text.replace('"bob"', '"bob","id":"eve"')],
    ['what is cut off', (text: string) => text.slice(0, -1)],
    ['what goes on', (text: string) => `${text} `],
    ['a number that JSON does not have', (text: string) => text.replace(/}$/, ',"changes":01}')],
    ['text of more than 200 bytes', (text: string) => text.replace('bob', 'b'.repeat(201))],
  ])('is not told of an event with %s', (_what, change) => {
    const { bytes, search } = canonicalEvent(
      newEventId(),
      TENANT,
      { action: 'agent.read', outcome: 'success', actor: { type: 'user', id: 'bob' } },
      undefined,
    );
    const text = change(bytes.toString());
    const at = /"at":"([^"]{27})/.exec(text)?.[1] ?? search.at;
    const actor = /"id":"(b+)"/.exec(text)?.[1] ?? search.actor;
    const columns = { ...search, actor, at: Number.isNaN(Date.parse(at)) ? search.at : at };
    expect(agrees(Buffer.from(text), columns, [[bytes, search]])).toBe(false);
  });
});
