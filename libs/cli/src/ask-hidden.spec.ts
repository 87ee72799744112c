import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { askHidden } from './ask-hidden.js';

describe('a question whose answer nobody may read over a shoulder', () => {
  it('is answered by a line, of which nothing is written, and asked again for the next', async () => {
    const [input, output] = [new PassThrough(), new PassThrough()];
    for (const secret of ['287082', 'another secret']) {
      const answer = askHidden(input, output, 'Code: ');
      input.write(`${secret}\r`);
      expect(await answer).toBe(secret);
    }
    expect(String(output.read())).toBe('Code: \nCode: \n');
  });

  it('ends where the terminal does, or whoever sits there does not want any more', async () => {
    const gone = new PassThrough();
    const answer = askHidden(gone, new PassThrough(), 'Code: ');
    gone.end();
    await expect(answer).rejects.toThrow('Nothing was typed in.');
    const stopped = new PassThrough();
    const stopping = askHidden(stopped, new PassThrough(), 'Code: ');
    stopped.write('\u0003');
    await expect(stopping).rejects.toThrow('Nothing was done.');
  });
});
