import { describe, expect, it } from 'vitest';
import { DemoModelProvider } from './demo.js';
import { listen, modelRequest } from './testing/model-fixture.js';

const demo = new DemoModelProvider();
const ask = (name: string, question = 'hello', maxOutputTokens = 4_096) =>
  listen(demo, modelRequest({ provider: 'demo', name, maxOutputTokens }, question));

describe('the demo model', () => {
  it('says that it is one, repeats the question, and is the same every time', async () => {
    const answer = await ask('demo', '  What is  new? ');
    expect(answer).toEqual({
      text: '[demo model: no AI was asked] You said: What is  new?',
      end: { type: 'end', usage: { inputTokens: 5, outputTokens: 11 } },
      error: undefined,
    });
    expect(await ask('demo', '  What is  new? ')).toEqual(answer);
  });

  it('keeps to the token limit, counting words', async () => {
    expect(await ask('demo', 'hello', 2)).toMatchObject({
      text: '[demo model: ',
      end: { usage: { outputTokens: 2 } },
    });
  });

  it('repeats no more than a part of a long question', async () => {
    expect((await ask('demo', 'x'.repeat(100_000))).text.length).toBeLessThan(2_100);
  });

  it('fails when its name asks for it', async () => {
    expect(await ask('demo-fail')).toMatchObject({
      text: '[demo model: no ',
      error: { code: 'MODEL_UNAVAILABLE' },
    });
  });
});

describe('the slow demo model', () => {
  it('says 56 words at an even pace', async () => {
    const started = performance.now();
    const model = modelRequest({ provider: 'demo', name: 'demo-slow' });
    const answer = await listen(new DemoModelProvider(10), model);
    expect(performance.now() - started).toBeGreaterThan(500);
    expect(answer).toMatchObject({
      text: expect.stringMatching(/ 50\/50$/),
      end: { usage: { outputTokens: 56 } },
    });
  });

  it('stops at once when the call is aborted', async () => {
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 250);
    const started = performance.now();
    const answer = await listen(demo, modelRequest({ provider: 'demo', name: 'demo-slow' }), {
      signal: abort.signal,
    });
    expect(performance.now() - started).toBeLessThan(600);
    expect(answer).toMatchObject({ text: '[demo ', end: undefined, error: { name: 'AbortError' } });
  });
});
