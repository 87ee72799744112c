import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeFrame, FrameDecoder, MAX_NESTING, parseHostFrame, ProtocolError } from './protocol.js';

function decode(bytes: Uint8Array, cuts: readonly number[] = [], maxBytes?: number): unknown[] {
  const decoder = new FrameDecoder(maxBytes);
  const values: unknown[] = [];
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    for (const { value } of decoder.push(bytes.subarray(from, cut))) values.push(value);
    from = cut;
  }
  decoder.end();
  return values;
}

/** What reading these chunks as a host's frames throws. */
function failureOf(parts: readonly Uint8Array[]): unknown {
  const decoder = new FrameDecoder(256);
  try {
    for (const part of parts) for (const { value } of decoder.push(part)) parseHostFrame(value);
    decoder.end();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('frames', () => {
  it('arrive as they were sent, however the stream is cut', () => {
    const values = fc.array(fc.jsonValue({ maxDepth: 5 }), { maxLength: 5 });
    fc.assert(
      fc.property(values, fc.array(fc.nat()), (outputs, randoms) => {
        const sent = outputs.map((output) => ({ type: 'result' as const, output }));
        const bytes = Buffer.from(sent.map((frame) => encodeFrame(frame)).join(''));
        const cuts = randoms.map((n) => n % (bytes.length + 1)).sort((a, b) => a - b);
        expect(decode(bytes, cuts)).toEqual(JSON.parse(JSON.stringify(sent)));
      }),
    );
  });

  it('never fail in another way than by a ProtocolError, whatever the bytes', () => {
    const fragment = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc
        .constantFrom(
          '{"type":"call"',
          '"id":1',
          '[',
          '{',
          '"',
          '\\',
          '\n',
          '}',
          ',',
          '"messages":[',
          '1e999',
        )
        .map((text) => new TextEncoder().encode(text)),
      fc.json().map((text) => new TextEncoder().encode(`${text}\n`)),
    );
    fc.assert(
      fc.property(fc.array(fragment), (parts) => {
        expect(failureOf(parts)).toSatisfy((error) => error === undefined || error instanceof ProtocolError);
      }),
      { numRuns: 2_000 },
    );
  });

  it('are refused from the first byte that is too many, without waiting for their end', () => {
    const decoder = new FrameDecoder(10);
    expect([...decoder.push(Buffer.from('"12345678"'))]).toEqual([]);
    expect(() => [...decoder.push(Buffer.from('x'))]).toThrow('longer than 10 bytes');
  });

  it('are accepted at exactly the longest length', () => {
    expect(decode(Buffer.from('"12345678"\n'), [], 10)).toEqual(['12345678']);
  });

  it.each([
    ['empty', '\n'],
    ['not JSON', 'hello\n'],
    ['cut short', '{"type":"result"'],
    ['two values', '{} {}\n'],
  ])('are refused when they are %s', (_what, text) => {
    expect(() => decode(Buffer.from(text))).toThrow(ProtocolError);
  });

  it('are refused when they are not UTF-8', () => {
    expect(() => decode(Buffer.from([0x22, 0xff, 0x22, 0x0a]))).toThrow('UTF-8');
  });

  it('are refused when they nest deeper than a recursive reader survives', () => {
    const nested = (depth: number) => Buffer.from(`${'['.repeat(depth)}${']'.repeat(depth)}\n`);
    expect(() => decode(nested(MAX_NESTING + 1))).toThrow('nested deeper');
    expect(() => decode(nested(MAX_NESTING))).not.toThrow();
    expect(decode(Buffer.from(`"${'['.repeat(500)}\\"${'['.repeat(500)}"\n`))).toHaveLength(1);
  });
});

describe('a frame from a host', () => {
  const messages = [{ role: 'user', content: 'hi' }];

  it('keeps known members only: a host cannot name the model, the address or the key', () => {
    const sent = {
      type: 'call',
      id: 1,
      kind: 'llm',
      messages,
      model: 'other',
      baseUrl: 'http://x',
      apiKey: 'k',
    };
    expect(parseHostFrame(sent)).toEqual({ type: 'call', id: 1, kind: 'llm', messages });
  });

  it.each([
    null,
    [],
    'result',
    {},
    { type: 'start' },
    { type: 'reply', id: 1, result: {} },
    { type: 'result' },
    { type: 'failed' },
    { type: 'failed', message: 1 },
    { type: 'call', id: 0, kind: 'llm', messages },
    { type: 'call', id: 1.5, kind: 'llm', messages },
    { type: 'call', id: '1', kind: 'llm', messages },
    { type: 'call', id: 1, kind: 'shell', messages },
    { type: 'call', id: 1, kind: 'llm', messages: [] },
    { type: 'call', id: 1, kind: 'llm', messages: {} },
    { type: 'call', id: 1, kind: 'llm', messages: [null] },
    { type: 'call', id: 1, kind: 'llm', messages: [{ role: 'tool', content: 'x' }] },
    { type: 'call', id: 1, kind: 'llm', messages: [{ role: 'user', content: 1 }] },
  ])('is refused when it is %j', (frame) => {
    expect(() => parseHostFrame(frame)).toThrow(ProtocolError);
  });

  it('cannot smuggle terminal escapes or endless text into a failure message', () => {
    const message = `\u001b[2J\u202ebad\n${'x'.repeat(10_000)}`;
    const parsed = parseHostFrame({ type: 'failed', message });
    expect(parsed).toEqual({ type: 'failed', message: expect.stringMatching(/^ \[2J bad\nx+$/) });
    expect(JSON.stringify(parsed).length).toBeLessThan(2_100);
  });
});
