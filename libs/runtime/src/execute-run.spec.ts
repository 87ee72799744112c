import { defineAgent } from '@waxell/sdk';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { executeRun, RunInterrupted } from './execute-run.js';
import { ModelCallError } from './model-call-error.js';
import type { ModelChunk } from './model.js';
import { FakeSandbox } from './testing/fake-sandbox.js';
import { asking, MemoryCheckpoints, runFixture, says, ScriptedModel } from './testing/run-fixture.js';

const model = { provider: 'demo', name: 'demo' } as const;

/** A model that says one word and then nothing, and does not listen to the signal either. */
const hangs = () =>
  new ScriptedModel(async function* (): AsyncGenerator<ModelChunk> {
    yield { type: 'delta', text: 'one ' };
    await new Promise(() => {});
  });

describe('a run', () => {
  it('completes with what the agent returned, and tells what happened in order', async () => {
    const { options, events } = runFixture({ attempt: 3 });
    expect(await executeRun(options)).toEqual({
      status: 'COMPLETED',
      output: 'Good day',
      usage: { inputTokens: 5, outputTokens: 2, modelCalls: 1 },
    });
    expect(events[0]).toEqual({ type: 'run.started', attempt: 3 });
    expect(events[1]).toEqual({ type: 'model.started', call: 1, model: 'demo' });
    const deltas = events.filter((event) => event.type === 'model.delta');
    expect(deltas.map(({ text }) => text).join('')).toBe('Good day');
    expect(events.at(-1)).toEqual({
      type: 'model.completed',
      call: 1,
      usage: { inputTokens: 5, outputTokens: 2, modelCalls: 1 },
    });
  });

  it('gives the model and the key of the definition to the provider, and the key to nobody else', async () => {
    const seen: unknown[] = [];
    const sandbox = new FakeSandbox(async (side) => {
      seen.push(await side.receive());
      side.send({ type: 'call', id: 1, kind: 'llm', messages: [{ role: 'user', content: 'x' }] });
      seen.push(await side.receive());
      side.send({ type: 'result', output: null });
    });
    const provider = new ScriptedModel(() => says('ok'));
    const { options, events } = runFixture({ sandbox, provider, apiKey: 'sk-secret' });
    await executeRun(options);
    expect(provider.requests[0]?.request.model).toEqual(options.definition.model);
    expect(provider.requests[0]?.options.apiKey).toBe('sk-secret');
    expect(JSON.stringify([seen, events])).not.toContain('sk-secret');
  });

  it('ends its sandbox, whatever happened', async () => {
    for (const host of [asking('x'), async () => {}, () => Promise.reject(new Error('broken'))]) {
      const sandbox = new FakeSandbox(host);
      const definition = defineAgent({ instructions: 'a', model, limits: { timeoutSeconds: 1 } });
      await executeRun(runFixture({ sandbox, definition }).options);
      expect(sandbox.processes[0]?.killed).toBeGreaterThan(0);
    }
  });

  it('leaves no listener on the signal it was given', async () => {
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, 'addEventListener');
    const removed = vi.spyOn(signal, 'removeEventListener');
    await executeRun(runFixture({ signal }).options);
    expect(added).toHaveBeenCalledTimes(1);
    expect(removed.mock.calls[0]?.[1]).toBe(added.mock.calls[0]?.[1]);
  });
});

describe('limits', () => {
  it('stop an agent that asks for more model calls than it may make', async () => {
    const definition = defineAgent({ instructions: 'a', model, limits: { maxModelCalls: 2 } });
    const provider = new ScriptedModel(() => says('ok'));
    const sandbox = new FakeSandbox(asking('1', '2', '3'));
    const outcome = await executeRun(runFixture({ definition, provider, sandbox }).options);
    expect(outcome).toMatchObject({
      status: 'FAILED',
      error: { code: 'LIMIT_EXCEEDED' },
      usage: { modelCalls: 2 },
    });
    expect(provider.requests).toHaveLength(2);
  });

  it('stop an output that is too large, and let one pass that is just not', async () => {
    const definition = defineAgent({ instructions: 'a', model, limits: { maxOutputBytes: 10 } });
    const returning = (output: string) =>
      new FakeSandbox(async (side) => side.send({ type: 'result', output }));
    const run = (output: string) =>
      executeRun(runFixture({ definition, sandbox: returning(output) }).options);
    expect(await run('12345678')).toMatchObject({ status: 'COMPLETED' });
    expect(await run('123456789')).toMatchObject({ status: 'FAILED', error: { code: 'LIMIT_EXCEEDED' } });
    expect(await run('äöüäöü')).toMatchObject({ status: 'FAILED', error: { code: 'LIMIT_EXCEEDED' } });
  });

  it('stop a model that never stops talking, before it fills the memory', async () => {
    const provider = new ScriptedModel(async function* (): AsyncGenerator<ModelChunk> {
      for (;;) yield { type: 'delta', text: 'x'.repeat(100_000) };
    });
    const outcome = await executeRun(runFixture({ provider }).options);
    expect(outcome).toMatchObject({ status: 'FAILED', error: { code: 'LIMIT_EXCEEDED' } });
  });

  it('stop a run that takes too long, also while a model hangs', async () => {
    const definition = defineAgent({ instructions: 'a', model, limits: { timeoutSeconds: 1 } });
    const { options } = runFixture({ definition, provider: hangs() });
    const started = performance.now();
    expect(await executeRun(options)).toMatchObject({ status: 'FAILED', error: { code: 'RUN_TIMEOUT' } });
    expect(performance.now() - started).toBeLessThan(1_500);
  });
});

describe('an abort', () => {
  const nothingUsed = { inputTokens: 0, outputTokens: 0, modelCalls: 0 };

  it('cancels the run when its reason says so, while the sandbox is silent', async () => {
    const abort = new AbortController();
    const { options, events } = runFixture({
      sandbox: new FakeSandbox(async () => {}),
      signal: abort.signal,
    });
    const running = executeRun(options);
    await vi.waitFor(() => expect(events).toHaveLength(1));
    abort.abort('cancelled');
    expect(await running).toEqual({ status: 'CANCELLED', usage: nothingUsed });
  });

  it('cancels the run and its model call, while the model is silent', async () => {
    const abort = new AbortController();
    const provider = hangs();
    const { options, events } = runFixture({ provider, signal: abort.signal });
    const running = executeRun(options);
    await vi.waitFor(() => expect(events).toHaveLength(3));
    abort.abort('cancelled');
    expect(await running).toEqual({ status: 'CANCELLED', usage: nothingUsed });
    expect(provider.requests[0]?.options.signal.aborted).toBe(true);
  });

  it('for any other reason leaves the run to another attempt', async () => {
    const abort = new AbortController();
    const { options, events } = runFixture({ provider: hangs(), signal: abort.signal });
    const running = executeRun(options);
    await vi.waitFor(() => expect(events.length).toBe(3));
    abort.abort(new Error('shutdown'));
    await expect(running).rejects.toThrow(RunInterrupted);
  });

  it('that came first starts nothing', async () => {
    const { options, events } = runFixture({ signal: AbortSignal.abort('cancelled') });
    expect(await executeRun(options)).toMatchObject({ status: 'CANCELLED' });
    expect(events).toEqual([]);
    await expect(executeRun({ ...options, signal: AbortSignal.abort() })).rejects.toThrow(RunInterrupted);
  });
});

describe('failures', () => {
  it('of a model end the run with their code and message, and keep the cause for logs', async () => {
    const failure = new ModelCallError('MODEL_UNAVAILABLE', 'Busy.', { cause: new Error('Bearer sk-1') });
    const provider = new ScriptedModel(async function* () {
      yield { type: 'delta', text: 'half an ans' };
      throw failure;
    });
    const { options, events } = runFixture({ provider });
    const outcome = await executeRun(options);
    expect(outcome).toMatchObject({
      status: 'FAILED',
      error: { code: 'MODEL_UNAVAILABLE', message: 'Busy.' },
    });
    expect(outcome).toHaveProperty('cause', failure);
    expect(JSON.stringify([outcome, events])).not.toContain('sk-1');
    expect(events.at(-1)).toEqual({ type: 'model.delta', call: 1, text: 'half an ans' });
  });

  it('that a provider should not have let out do not reach the tenant', async () => {
    const provider = new ScriptedModel(async function* () {
      yield { type: 'delta', text: '' };
      throw new Error('authorization: Bearer sk-1');
    });
    const outcome = await executeRun(runFixture({ provider }).options);
    expect(outcome).toMatchObject({ status: 'FAILED', error: { code: 'INTERNAL' } });
    expect(JSON.stringify(outcome)).not.toContain('sk-1');
  });

  it('include an answer without an end', async () => {
    const provider = new ScriptedModel(async function* () {
      yield { type: 'delta', text: 'half' };
    });
    const outcome = await executeRun(runFixture({ provider }).options);
    expect(outcome).toMatchObject({ status: 'FAILED', error: { code: 'MODEL_STREAM_CUT' } });
  });

  const gone = new Error('database gone');

  it.each(['run.started', 'model.started', 'model.delta', 'model.completed'])(
    'to store a %s event are not the run’s: the attempt rejects',
    async (type) => {
      const emit = async (body: { type: string }) => {
        if (body.type === type) throw gone;
      };
      await expect(executeRun(runFixture({ emit }).options)).rejects.toBe(gone);
    },
  );

  it('to store or load checkpoints are not the run’s either', async () => {
    const checkpoints = new MemoryCheckpoints();
    checkpoints.save = () => Promise.reject(gone);
    await expect(executeRun(runFixture({ checkpoints }).options)).rejects.toBe(gone);
    checkpoints.load = () => Promise.reject(gone);
    await expect(executeRun(runFixture({ checkpoints }).options)).rejects.toBe(gone);
  });

  it('to launch a sandbox are not the run’s either', async () => {
    const sandbox = { launch: () => Promise.reject(new Error('no docker')) };
    await expect(executeRun(runFixture({ sandbox }).options)).rejects.toThrow('no docker');
  });
});

it('shows text while it comes, also when it leaves timers no turn', async () => {
  const provider = new ScriptedModel(async function* (): AsyncGenerator<ModelChunk> {
    for (const end = performance.now() + 300; performance.now() < end;) {
      yield { type: 'delta', text: '.' };
    }
    yield { type: 'end', usage: { inputTokens: 1, outputTokens: 1 } };
  });
  const { options, events } = runFixture({ provider });
  await executeRun(options);
  expect(events.filter(({ type }) => type === 'model.delta').length).toBeGreaterThanOrEqual(4);
});

describe('deltas', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
  afterEach(() => void vi.useRealTimers());

  it('are joined so that a call emits at most one in 50 ms, and none stays unsent while the model pauses', async () => {
    const provider = new ScriptedModel(async function* (): AsyncGenerator<ModelChunk> {
      for (let at = 0; at < 100; at += 1) {
        yield { type: 'delta', text: '.' };
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await new Promise((resolve) => setTimeout(resolve, 5_000));
      yield { type: 'end', usage: { inputTokens: 1, outputTokens: 100 } };
    });
    const { options, events } = runFixture({ provider });
    const times: number[] = [];
    const running = executeRun({
      ...options,
      emit: async (body) => {
        if (body.type === 'model.delta') times.push(performance.now());
        events.push(body);
      },
    });
    const sent = () =>
      events.flatMap((event) => (event.type === 'model.delta' ? event.text : [])).join('').length;
    for (let ms = 0; ms < 700; ms += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      await vi.advanceTimersByTimeAsync(1);
    }
    expect(sent()).toBe(100);
    expect(times.length).toBeGreaterThan(5);
    const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(50);
    await vi.advanceTimersByTimeAsync(5_000);
    vi.useRealTimers();
    expect(await running).toMatchObject({ status: 'COMPLETED' });
  });
});
