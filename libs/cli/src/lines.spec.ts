import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { linesIn } from './lines.js';

async function linesOfParts(parts: readonly string[]): Promise<string[]> {
  const lines: string[] = [];
  async function* given(): AsyncGenerator<string> {
    yield* parts;
  }
  for await (const some of linesIn(given())) lines.push(...some);
  return lines;
}

describe('the lines of a file', () => {
  it('are the same wherever it was cut as it was read, whether or not the last has an end', async () => {
    const line = fc.string({
      unit: fc.constantFrom('a', '"', '\r', '\u2028', '\u2029', '\u0085', 'é'),
      minLength: 1,
    });
    await fc.assert(
      fc.asyncProperty(fc.array(line), fc.array(fc.nat()), fc.boolean(), async (lines, cuts, ended) => {
        const text = lines.join('\n') + (ended && lines.length > 0 ? '\n' : '');
        const ends = cuts.map((cut) => cut % (text.length + 1)).sort((a, b) => a - b);
        const parts = [0, ...ends].map((from, at) => text.slice(from, ends[at] ?? text.length));
        expect(await linesOfParts(parts)).toEqual(lines);
      }),
    );
  });

  it('are refused where one is longer than any event', async () => {
    const part = 'x'.repeat(33 * 1_048_576);
    await expect(linesOfParts([part, part])).rejects.toThrow('too long');
  });
});
