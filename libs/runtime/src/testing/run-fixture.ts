import { defineAgent, type RunEventBody } from '@waxell/sdk';
import type { Checkpoint, Checkpoints } from '../checkpoints.js';
import type { ExecuteRunOptions } from '../execute-run.js';
import type { ModelCallOptions, ModelChunk, ModelProvider, ModelRequest } from '../model.js';
import { FakeSandbox, type HostSide } from './fake-sandbox.js';

/** Keeps checkpoints as a database would: as JSON. */
export class MemoryCheckpoints implements Checkpoints {
  constructor(readonly saved: Checkpoint[] = []) {}

  async load(): Promise<readonly Checkpoint[]> {
    return structuredClone(this.saved);
  }

  async save(checkpoint: Checkpoint, also: () => Promise<void>): Promise<void> {
    this.saved.push(structuredClone(checkpoint));
    await also();
  }
}

type Script = (request: ModelRequest, options: ModelCallOptions) => AsyncIterable<ModelChunk>;

/** A model whose answers are a function of the test; remembers what it was asked. */
export class ScriptedModel implements ModelProvider {
  readonly requests: { readonly request: ModelRequest; readonly options: ModelCallOptions }[] = [];

  constructor(private readonly script: Script) {}

  stream(request: ModelRequest, options: ModelCallOptions): AsyncIterable<ModelChunk> {
    this.requests.push({ request, options });
    return this.script(request, options);
  }
}

export async function* says(...texts: readonly string[]): AsyncGenerator<ModelChunk> {
  for (const text of texts) yield { type: 'delta', text };
  yield { type: 'end', usage: { inputTokens: 5, outputTokens: texts.length } };
}

/** A host that asks each question as one model call, and returns the last answer. */
export const asking =
  (...questions: readonly string[]) =>
  async (side: HostSide): Promise<void> => {
    await side.receive();
    let output: unknown = null;
    for (const [index, content] of questions.entries()) {
      side.send({ type: 'call', id: index + 1, kind: 'llm', messages: [{ role: 'user', content }] });
      const reply = await side.receive();
      if (reply?.type !== 'reply') return;
      if ('error' in reply) {
        side.send({ type: 'failed', message: reply.error.message });
        return;
      }
      output = reply.result.text;
    }
    side.send({ type: 'result', output });
  };

/** Everything that `executeRun` needs, with a host and a model that work; `events` collects what it emits. */
export function runFixture(overrides: Partial<ExecuteRunOptions> = {}) {
  const events: RunEventBody[] = [];
  const options: ExecuteRunOptions = {
    definition: defineAgent({ instructions: 'Answer.', model: { provider: 'demo', name: 'demo' } }),
    input: 'hello',
    sandbox: new FakeSandbox(asking('hello')),
    provider: new ScriptedModel(() => says('Good ', 'day')),
    checkpoints: new MemoryCheckpoints(),
    emit: async (body) => {
      events.push(body);
    },
    signal: new AbortController().signal,
    attempt: 1,
    ...overrides,
  };
  return { options, events };
}
