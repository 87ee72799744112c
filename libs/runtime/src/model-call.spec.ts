import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { ModelCallError } from './model-call-error.js';
import { readAnswer } from './model-call.js';
import type { ModelChunk } from './model.js';

const unhandled: unknown[] = [];
const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
afterEach(() => {
  process.off('unhandledRejection', onUnhandled);
  unhandled.length = 0;
});

it('is told of a stream that broke while its last words were being stored, and nobody else is', async () => {
  process.on('unhandledRejection', onUnhandled);
  async function* model(): AsyncGenerator<ModelChunk> {
    yield { type: 'delta', text: 'half' };
    await sleep(5);
    throw new ModelCallError('MODEL_STREAM_CUT', 'The connection was lost.');
  }
  const slowStore = () => sleep(50);
  const answer = readAnswer(model(), 1, slowStore, new AbortController().signal);
  await expect(answer).rejects.toMatchObject({ code: 'MODEL_STREAM_CUT' });
  await sleep(10);
  expect(unhandled).toEqual([]);
});
