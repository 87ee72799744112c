import { setTimeout as sleep } from 'node:timers/promises';
import { ModelCallError } from '@waxell/runtime';
import type { ModelCallOptions, ModelChunk, ModelProvider, ModelRequest } from '@waxell/runtime';

/** How many numbered words `demo-slow` says. */
const SLOW_WORDS = 50;

/** Longest part of a question that is repeated. */
const ECHOED_CHARS = 2_000;

/**
 * A model that is none: offline, deterministic, and says so in every answer. It repeats the last user message, word by
 * word, and counts whitespace-separated words as tokens. By its name it behaves differently:
 *
 * - `demo-slow` takes eleven seconds (a word every 200 ms), to have something to cancel or to crash in;
 * - `demo-fail` fails with MODEL_UNAVAILABLE after its first words;
 * - any other name answers at once.
 */
export class DemoModelProvider implements ModelProvider {
  /** `slowWordMs`: how long one word of `demo-slow` takes. */
  constructor(private readonly slowWordMs = 200) {}

  async *stream({ model, messages }: ModelRequest, { signal }: ModelCallOptions): AsyncGenerator<ModelChunk> {
    const question = messages.findLast(({ role }) => role === 'user')?.content ?? '';
    const slow = model.name === 'demo-slow';
    const words = `[demo model: no AI was asked] ${slow ? slowAnswer() : echo(question)}`.split(
      /(?<=\s)(?=\S)/,
    );
    const said = words.slice(0, model.maxOutputTokens);
    for (const [index, text] of said.entries()) {
      if (model.name === 'demo-fail' && index === 3) {
        throw new ModelCallError('MODEL_UNAVAILABLE', 'The demo model fails, as its name asks for.');
      }
      if (slow) await sleep(this.slowWordMs, undefined, { signal });
      signal.throwIfAborted();
      yield { type: 'delta', text };
    }
    const inputTokens = messages.reduce((sum, { content }) => sum + countWords(content), 0);
    yield { type: 'end', usage: { inputTokens, outputTokens: said.length } };
  }
}

function echo(question: string): string {
  return question.trim() === '' ? 'You said nothing.' : `You said: ${question.trim().slice(0, ECHOED_CHARS)}`;
}

function slowAnswer(): string {
  return Array.from({ length: SLOW_WORDS }, (_, index) => `${index + 1}/${SLOW_WORDS}`).join(' ');
}

function countWords(text: string): number {
  return text.split(/\s+/).filter((word) => word !== '').length;
}
