import { defineAgent } from '@waxell/sdk';
import { describe, expect, it } from 'vitest';
import { executeRun } from './execute-run.js';
import { ModelCallError } from './model-call-error.js';
import { FakeSandbox } from './testing/fake-sandbox.js';
import { asking, MemoryCheckpoints, runFixture, says, ScriptedModel } from './testing/run-fixture.js';

/** The state after an attempt which finished `questions` and then lost its worker. */
async function interruptedAfter(...questions: readonly string[]): Promise<MemoryCheckpoints> {
  const checkpoints = new MemoryCheckpoints();
  await executeRun(runFixture({ checkpoints, sandbox: new FakeSandbox(asking(...questions)) }).options);
  expect(checkpoints.saved).toHaveLength(questions.length);
  return checkpoints;
}

describe('a resumed run', () => {
  it('makes only the calls that were not finished, and counts the finished ones', async () => {
    const checkpoints = await interruptedAfter('one', 'two');
    const provider = new ScriptedModel(() => says('third'));
    const sandbox = new FakeSandbox(asking('one', 'two', 'three'));
    const { options, events } = runFixture({ checkpoints, provider, sandbox, attempt: 2 });
    expect(await executeRun(options)).toEqual({
      status: 'COMPLETED',
      output: 'third',
      usage: { inputTokens: 15, outputTokens: 5, modelCalls: 3 },
    });
    expect(provider.requests.map(({ request }) => request.messages[0]?.content)).toEqual(['three']);
    expect(events.filter((event) => 'call' in event && event.call !== 3)).toEqual([]);
    expect(checkpoints.saved.map(({ call }) => call)).toEqual([1, 2, 3]);
  });

  it('fails, with a reason, when the agent asks for something else than before', async () => {
    const checkpoints = await interruptedAfter('one');
    const provider = new ScriptedModel(() => says('x'));
    const sandbox = new FakeSandbox(asking('another'));
    const outcome = await executeRun(runFixture({ checkpoints, provider, sandbox }).options);
    expect(outcome).toMatchObject({
      status: 'FAILED',
      error: { code: 'SANDBOX_FAILED', message: expect.stringContaining('Call 1 is not the call') },
    });
    expect(provider.requests).toEqual([]);
  });

  it('does not take the answer of another model for its own', async () => {
    const checkpoints = await interruptedAfter('one');
    const definition = defineAgent({ instructions: 'Answer.', model: { provider: 'demo', name: 'other' } });
    const sandbox = new FakeSandbox(asking('one'));
    expect(await executeRun(runFixture({ checkpoints, definition, sandbox }).options)).toMatchObject({
      status: 'FAILED',
    });
  });

  it('fails again where it failed before, without asking the model again', async () => {
    const checkpoints = new MemoryCheckpoints();
    const refusing = new ScriptedModel(async function* () {
      yield { type: 'delta', text: 'a' };
      throw new ModelCallError('MODEL_REFUSED', 'No.');
    });
    await executeRun(runFixture({ checkpoints, provider: refusing }).options);
    const provider = new ScriptedModel(() => says('x'));
    const outcome = await executeRun(runFixture({ checkpoints, provider }).options);
    expect(outcome).toMatchObject({ status: 'FAILED', error: { code: 'MODEL_REFUSED', message: 'No.' } });
    expect(provider.requests).toEqual([]);
  });

  it('counts replayed calls against the limit of calls', async () => {
    const checkpoints = await interruptedAfter('one', 'two');
    const definition = defineAgent({
      instructions: 'Answer.',
      model: { provider: 'demo', name: 'demo' },
      limits: { maxModelCalls: 2 },
    });
    const sandbox = new FakeSandbox(asking('one', 'two', 'three'));
    const outcome = await executeRun(runFixture({ checkpoints, sandbox, definition }).options);
    expect(outcome).toMatchObject({ status: 'FAILED', error: { code: 'LIMIT_EXCEEDED' } });
  });

  it('is not run on checkpoints that are damaged', async () => {
    for (const result of [
      null,
      {},
      { text: 'x' },
      { text: 1, usage: {} },
      { error: { code: 'NO', message: '' } },
    ]) {
      const checkpoints = new MemoryCheckpoints([{ call: 1, fingerprint: 'x', result }]);
      await expect(executeRun(runFixture({ checkpoints }).options)).rejects.toThrow('damaged');
    }
  });
});

it('says that a call is finished only together with its checkpoint', async () => {
  const checkpoints = new MemoryCheckpoints();
  checkpoints.save = () => Promise.reject(new Error('the worker died here'));
  const { options, events } = runFixture({ checkpoints });
  await expect(executeRun(options)).rejects.toThrow('the worker died here');
  expect(events.map(({ type }) => type)).not.toContain('model.completed');
});

it('saves a checkpoint before the sandbox sees the answer', async () => {
  const order: string[] = [];
  const checkpoints = new MemoryCheckpoints();
  checkpoints.save = async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    order.push('saved');
  };
  const sandbox = new FakeSandbox(async (side) => {
    await side.receive();
    side.send({ type: 'call', id: 1, kind: 'llm', messages: [{ role: 'user', content: 'x' }] });
    await side.receive();
    order.push('replied');
    side.send({ type: 'result', output: null });
  });
  await executeRun(runFixture({ checkpoints, sandbox }).options);
  expect(order).toEqual(['saved', 'replied']);
});
