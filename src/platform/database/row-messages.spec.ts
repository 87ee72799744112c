import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CopyRows } from './copy-rows.js';
import { RowMessages } from './row-messages.js';

const HEADER_BYTES = 19;

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(type, 0, 'latin1');
  head.writeUInt32BE(4 + body.length, 1);
  return Buffer.concat([head, body]);
}

function rowOf(value: Buffer): Buffer {
  const rows = new CopyRows();
  rows.row(1);
  rows.bytea(value);
  return rows.finish().subarray(HEADER_BYTES, -2);
}

/** As the server answers: what comes before the rows, the rows, what comes after, and one more message. */
function answer(values: readonly Buffer[]): Buffer {
  const header = new CopyRows().finish().subarray(0, HEADER_BYTES);
  const rows = [...values.map(rowOf), Buffer.from('ffff', 'hex')];
  return Buffer.concat([
    ...BEFORE,
    ...rows.map((row, at) => message('d', at === 0 ? Buffer.concat([header, row]) : row)),
    ...AFTER,
  ]);
}

const BEFORE = [message('1', Buffer.alloc(0)), message('H', Buffer.from('01000000', 'hex'))];
const AFTER = [
  message('c', Buffer.alloc(0)),
  message('C', Buffer.from('COPY 3\0')),
  message('Z', Buffer.from('I')),
  message('N', Buffer.from('\0')),
];

/** What is shown of an answer that comes in parts; a part is overwritten once it was read. */
function shown(bytes: Buffer, cuts: readonly number[]) {
  const rows: string[] = [];
  const others: Buffer[] = [];
  let overBefore = -1;
  const messages = new RowMessages((buffer, start, end) => rows.push(buffer.toString('hex', start, end)), {
    other: (other) => others.push(other),
    over: () => (overBefore = Buffer.concat(others).length),
  });
  const ends = [...new Set(cuts.map((cut) => cut % bytes.length))].sort((a, b) => a - b);
  for (const [at, from] of [0, ...ends].entries()) {
    const part = Buffer.from(bytes.subarray(from, ends[at] ?? bytes.length));
    messages.read(part);
    part.fill(0xee);
  }
  return { rows, others: Buffer.concat(others), overBefore, over: messages.over };
}

describe('what the server sends while rows are copied out', () => {
  const values = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 });

  it('is shown as rows and as the rest, wherever it was cut, and nothing of a part is needed later', () => {
    fc.assert(
      fc.property(values, fc.array(fc.nat(), { maxLength: 40 }), (list, cuts) => {
        const wanted = list.map((value) => Buffer.from(value));
        const rest = Buffer.concat([...BEFORE, ...AFTER]);
        expect(shown(answer(wanted), cuts)).toEqual({
          rows: wanted.map((value) => rowOf(value).toString('hex')),
          others: rest,
          // The end is shown to who listens again.
          overBefore: rest.length - Buffer.concat(AFTER.slice(2)).length,
          over: true,
        });
      }),
    );
  });

  it('may come byte by byte', () => {
    const bytes = answer([Buffer.from('a'), Buffer.alloc(0)]);
    const cuts = Array.from({ length: bytes.length }, (_, at) => at);
    expect(shown(bytes, cuts).rows).toHaveLength(2);
  });

  it('is shown as an error too, and is over after it', () => {
    const failed = Buffer.concat([message('E', Buffer.from('SERROR\0\0')), message('Z', Buffer.from('I'))]);
    expect(shown(failed, [3])).toEqual({
      rows: [],
      others: failed,
      overBefore: failed.length - 6,
      over: true,
    });
  });

  it('is refused where it is no message', () => {
    const messages = new RowMessages(() => undefined, { other: () => undefined, over: () => undefined });
    expect(() => messages.read(Buffer.from('6400000003', 'hex'))).toThrow('no message');
  });
});
