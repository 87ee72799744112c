import { describe, expect, it, vi } from 'vitest';
import { executeRun } from './execute-run.js';
import type { ModelChunk } from './model.js';
import { encodeFrame, MAX_FRAME_BYTES } from './protocol.js';
import { FakeSandbox, type HostSide } from './testing/fake-sandbox.js';
import { runFixture, says, ScriptedModel } from './testing/run-fixture.js';

const call = (id: number) =>
  encodeFrame({ type: 'call', id, kind: 'llm', messages: [{ role: 'user', content: 'x' }] });
const result = encodeFrame({ type: 'result', output: 1 });

const slowModel = () =>
  new ScriptedModel(async function* (): AsyncGenerator<ModelChunk> {
    await new Promise((resolve) => setTimeout(resolve, 200));
    yield { type: 'end', usage: { inputTokens: 0, outputTokens: 0 } };
  });

const runHost = (host: (side: HostSide) => Promise<void>, provider = new ScriptedModel(() => says('ok'))) =>
  executeRun(runFixture({ sandbox: new FakeSandbox(host), provider }).options);

describe('a host that misbehaves fails its run and harms nothing else, when it', () => {
  it.each<[string, string, RegExp]>([
    ['does not speak the protocol', 'hello\n', /not valid JSON/],
    ['sends a frame that only the broker may send', '{"type":"start"}\n', /unknown type/],
    ['begins with a call that is not the first', call(2), /call 1 was to come next/],
    ['sends a frame without end', 'x'.repeat(MAX_FRAME_BYTES + 1), /longer than/],
    [
      'nests its output too deep',
      `{"type":"result","output":${'['.repeat(1e5)}${']'.repeat(1e5)}}\n`,
      /nested/,
    ],
    ['makes two calls at once', call(1) + call(2), /still unanswered/],
    ['gives its result while it waits for an answer', call(1) + result, /still unanswered/],
  ])('%s', async (_what, bytes, message) => {
    const outcome = await runHost(async (side) => side.sendRaw(bytes), slowModel());
    expect(outcome).toMatchObject({
      status: 'FAILED',
      error: { code: 'SANDBOX_FAILED', message: expect.stringMatching(message) },
    });
  });

  it('repeats a call that was answered', async () => {
    const outcome = await runHost(async (side) => {
      await side.receive();
      side.sendRaw(call(1));
      await side.receive();
      side.sendRaw(call(1));
    });
    expect(outcome).toMatchObject({
      status: 'FAILED',
      error: { message: expect.stringContaining('call 2') },
    });
  });

  it('ends without a result', async () => {
    const outcome = await runHost(async (side) => side.exit(134));
    expect(outcome).toMatchObject({
      status: 'FAILED',
      error: { code: 'SANDBOX_FAILED', message: expect.stringContaining('exit code 134') },
    });
  });

  it('ends in the middle of a call: the model is stopped, too', async () => {
    const provider = slowModel();
    const outcome = await runHost(async (side) => {
      side.sendRaw(call(1));
      await vi.waitFor(() => expect(provider.requests).toHaveLength(1));
      side.exit(1);
    }, provider);
    expect(outcome).toMatchObject({
      status: 'FAILED',
      error: { code: 'SANDBOX_FAILED' },
      usage: { modelCalls: 0 },
    });
    expect(provider.requests[0]?.options.signal.aborted).toBe(true);
  });

  it('reports a failure of its own', async () => {
    const outcome = await runHost(async (side) => side.send({ type: 'failed', message: 'no idea' }));
    expect(outcome).toMatchObject({
      status: 'FAILED',
      error: { code: 'SANDBOX_FAILED', message: 'The agent failed: no idea' },
    });
  });

  it('never reads its input', async () => {
    const sandbox = new FakeSandbox(async () => {});
    const launch = sandbox.launch.bind(sandbox);
    sandbox.launch = async () => {
      const process = await launch();
      process.toSandbox.write = () => false;
      return process;
    };
    const abort = new AbortController();
    const running = executeRun(runFixture({ sandbox, signal: abort.signal }).options);
    setTimeout(() => abort.abort('cancelled'), 50);
    expect(await running).toMatchObject({ status: 'CANCELLED' });
  });
});

it('takes a result that was written just before the host exited', async () => {
  const outcome = await runHost(async (side) => {
    side.sendRaw(result);
    side.exit(0);
  });
  expect(outcome).toMatchObject({ status: 'COMPLETED', output: 1 });
});

it('takes the first result and ignores whatever follows', async () => {
  expect(await runHost(async (side) => side.sendRaw(`${result}garbage\n`))).toMatchObject({
    status: 'COMPLETED',
  });
});

it.each(['toSandbox', 'fromSandbox'] as const)('survives an error of the stream %s', async (name) => {
  const sandbox = new FakeSandbox(async () => {});
  const running = executeRun(runFixture({ sandbox }).options);
  await vi.waitFor(() => expect(sandbox.processes).toHaveLength(1));
  await new Promise((resolve) => setImmediate(resolve));
  sandbox.processes[0]?.process[name].destroy(new Error('EPIPE'));
  expect(await running).toMatchObject({ status: 'FAILED', error: { code: 'SANDBOX_FAILED' } });
});

it('returns only after the event that was being stored is stored', async () => {
  const abort = new AbortController();
  const storing = Promise.withResolvers<void>();
  const stored = Promise.withResolvers<void>();
  const emit = async ({ type }: { type: string }) => {
    if (type !== 'model.delta') return;
    storing.resolve();
    await stored.promise;
  };
  let returned = false;
  const { options } = runFixture({ signal: abort.signal, emit });
  const running = executeRun(options).finally(() => (returned = true));
  await storing.promise;
  abort.abort('cancelled');
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(returned).toBe(false);
  stored.resolve();
  expect(await running).toMatchObject({ status: 'CANCELLED' });
});

it('ends the sandbox of an attempt that could not even begin', async () => {
  const sandbox = new FakeSandbox(async () => {});
  await expect(executeRun(runFixture({ sandbox, input: 1n }).options)).rejects.toThrow('BigInt');
  expect(sandbox.processes[0]?.killed).toBe(1);
});
