import type { RunEventBody } from '@waxell/sdk';
import { firstOf } from './abortable.js';
import { ModelCallError } from './model-call-error.js';
import type { ModelChunk } from './model.js';

/** Least time between two `model.delta` events of a call: smooth to read, and 20 rows a second to store. */
export const DELTA_INTERVAL_MS = 50;

/**
 * Longest text that one model call may give, in UTF-16 units. The largest output that models offer (128k tokens) is a
 * quarter of it; without a bound, an endpoint that a tenant runs could fill the worker's memory.
 */
export const MAX_MODEL_TEXT = 2 * 1_048_576;

export interface ModelAnswer {
  readonly text: string;
  readonly usage: { readonly inputTokens: number; readonly outputTokens: number };
}

/** The model gave more text than a call may give. */
export class ModelTextTooLong extends Error {
  override readonly name = 'ModelTextTooLong';
}

/**
 * Reads one streamed answer to its end and passes the text on as it comes, coalesced. The next chunk is asked for only
 * after the last event was stored, so a slow database slows the model down instead of filling memory. Returns
 * 'aborted' as soon as the signal says so, even when the stream does not listen to it.
 */
export async function readAnswer(
  chunks: AsyncIterable<ModelChunk>,
  call: number,
  emit: (body: RunEventBody) => Promise<void>,
  signal: AbortSignal,
): Promise<ModelAnswer | 'aborted'> {
  const iterator = chunks[Symbol.asyncIterator]();
  let text = '';
  let unsent = '';
  let lastEmit = -Infinity;
  const flush = async () => {
    if (unsent === '') return;
    const delta = unsent;
    unsent = '';
    await emit({ type: 'model.delta', call, text: delta });
    lastEmit = performance.now();
  };

  const ask = () => {
    const asked = iterator.next();
    // It may fail while an event is being stored, when nobody waits for it; whoever waits next still gets the failure.
    asked.catch(() => {});
    return asked;
  };

  let next = ask();
  try {
    for (;;) {
      const dueMs = unsent === '' ? undefined : lastEmit + DELTA_INTERVAL_MS - performance.now();
      // Checked here as well as by the timer: chunks that come faster than timers fire would starve it.
      const first = dueMs !== undefined && dueMs <= 0 ? 'due' : await firstOf(next, signal, dueMs);
      if (first === 'aborted' || signal.aborted) return 'aborted';
      if (first === 'due') {
        await flush();
        continue;
      }
      if (first.value.done)
        throw new ModelCallError('MODEL_STREAM_CUT', 'The model stopped before its answer ended.');
      const chunk = first.value.value;
      if (chunk.type === 'end') {
        await flush();
        return { text, usage: chunk.usage };
      }
      text += chunk.text;
      if (text.length > MAX_MODEL_TEXT) throw new ModelTextTooLong();
      unsent += chunk.text;
      next = ask();
    }
  } catch (error) {
    // What the model said before it failed helps whoever reads the run.
    if (error instanceof ModelCallError) await flush();
    throw error;
  } finally {
    // Not awaited: a generator that hangs in `next` would never get to its `return`.
    Promise.resolve(iterator.return?.()).catch(() => {});
  }
}
