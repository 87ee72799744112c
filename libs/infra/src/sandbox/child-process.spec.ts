import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { executeRun, type ExecuteRunOptions } from '@waxell/runtime';
import { defineAgent, type RunEventBody } from '@waxell/sdk';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { DemoModelProvider } from '../models/demo.js';
import { ChildProcessSandbox } from './child-process.js';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
let folder = '';

beforeAll(async () => {
  // A sandbox runs compiled code, and must not run a stale build of it.
  await promisify(execFile)(
    process.execPath,
    [join(root, 'node_modules/typescript/bin/tsc'), '-b', 'libs/infra'],
    {
      cwd: root,
    },
  );
  folder = await mkdtemp(join(tmpdir(), 'waxell-sandbox-'));
}, 120_000);

afterAll(() => rm(folder, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

function run(overrides: Partial<ExecuteRunOptions> = {}) {
  const events: RunEventBody[] = [];
  const outcome = executeRun({
    definition: defineAgent({ instructions: 'Answer.', model: { provider: 'demo', name: 'demo' } }),
    input: 'hello there',
    sandbox: new ChildProcessSandbox(),
    provider: new DemoModelProvider(),
    checkpoints: { load: async () => [], save: (_checkpoint, also) => also() },
    emit: async (body) => {
      events.push(body);
    },
    signal: new AbortController().signal,
    attempt: 1,
    ...overrides,
  });
  return { outcome, events };
}

/** A sandbox whose program returns what `expression` is, or the error code of what it throws. */
async function probe(expression: string): Promise<unknown> {
  const program = join(folder, `${crypto.randomUUID()}.mjs`);
  await writeFile(
    program,
    `process.stdin.once('data', async () => {
       let output;
       try { output = await (${expression}); } catch (error) { output = error.code ?? String(error); }
       process.stdout.write(JSON.stringify({ type: 'result', output }) + '\\n');
     });`,
  );
  const outcome = await run({ sandbox: new ChildProcessSandbox({ program }) }).outcome;
  return 'output' in outcome ? outcome.output : outcome;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('an agent in a child process', () => {
  it('runs from end to end with the demo model', async () => {
    const { outcome, events } = run();
    expect(await outcome).toEqual({
      status: 'COMPLETED',
      output: '[demo model: no AI was asked] You said: hello there',
      usage: { inputTokens: 3, outputTokens: 10, modelCalls: 1 },
    });
    expect(events.map(({ type }) => type)).toEqual(
      expect.arrayContaining(['run.started', 'model.started', 'model.delta', 'model.completed']),
    );
  });

  it('gets input that is not text as JSON', async () => {
    const outcome = await run({ input: { question: ['why?'] } }).outcome;
    expect(outcome).toMatchObject({ output: expect.stringContaining('You said: {"question":["why?"]}') });
  });

  it('fails with the model, by the model’s code', async () => {
    const definition = defineAgent({ instructions: 'a', model: { provider: 'demo', name: 'demo-fail' } });
    expect(await run({ definition }).outcome).toMatchObject({
      status: 'FAILED',
      error: { code: 'MODEL_UNAVAILABLE', message: 'The demo model fails, as its name asks for.' },
    });
  });

  it('is cancelled within a second, and its process is gone', async () => {
    const sandbox = new ChildProcessSandbox();
    const launch = vi.spyOn(sandbox, 'launch');
    const abort = new AbortController();
    const definition = defineAgent({ instructions: 'a', model: { provider: 'demo', name: 'demo-slow' } });
    const { outcome, events } = run({ definition, sandbox, signal: abort.signal });
    await vi.waitFor(() => expect(events.length).toBeGreaterThan(4), 5_000);
    const cancelled = performance.now();
    abort.abort('cancelled');
    expect(await outcome).toMatchObject({ status: 'CANCELLED' });
    expect(performance.now() - cancelled).toBeLessThan(1_000);
    const launched = await launch.mock.results[0]?.value;
    expect(await launched?.exited).toEqual({ code: null, signal: 'SIGKILL' });
  });
});

describe('the sandbox', () => {
  it('has an empty environment', async () => {
    vi.stubEnv('OPENAI_API_KEY', 'sk-secret');
    expect(await probe('process.env')).toEqual({});
  });

  it.each([
    ['read a file outside', `(await import('node:fs')).readFileSync('/etc/passwd', 'utf8')`],
    ['list a folder outside', `(await import('node:fs')).readdirSync('/')`],
    [
      'read the worker’s environment',
      `(await import('node:fs')).readFileSync('/proc/' + process.ppid + '/environ')`,
    ],
    ['write a file', `(await import('node:fs')).writeFileSync('/tmp/waxell-probe', 'x')`],
    ['start a process', `(await import('node:child_process')).execSync('id').toString()`],
    ['start a worker', `new (await import('node:worker_threads')).Worker('1', { eval: true })`],
    ['open the inspector', `(await import('node:inspector')).open(0)`],
  ])('cannot %s', async (_what, expression) => {
    expect(await probe(expression)).toBe('ERR_ACCESS_DENIED');
  });

  it('cannot load native code', async () => {
    expect(await probe(`process.dlopen({ exports: {} }, '/tmp/x.node')`)).toBe('ERR_DLOPEN_DISABLED');
  });

  it('has the heap that it was given', async () => {
    const bytes = await probe(`(await import('node:v8')).getHeapStatistics().heap_size_limit`);
    expect(bytes).toSatisfy((limit: number) => limit >= 256 * 1_048_576 && limit < 512 * 1_048_576);
  });

  it('fails its run, and nothing else, when it uses more memory than it may', async () => {
    const program = join(folder, 'greedy.mjs');
    await writeFile(program, 'const hoard = []; for (;;) hoard.push(new Array(1e5).fill(Math.random()));');
    const stderr: string[] = [];
    const sandbox = new ChildProcessSandbox({ program, onStderr: (text) => stderr.push(text) });
    const outcome = await run({ sandbox, sandboxLimits: { memoryBytes: 32 * 1_048_576 } }).outcome;
    expect(outcome).toMatchObject({ status: 'FAILED', error: { code: 'SANDBOX_FAILED' } });
    await vi.waitFor(() => expect(stderr.join('')).toContain('heap'));
    expect(Buffer.byteLength(stderr.join(''))).toBeLessThanOrEqual(16_384);
  }, 30_000);

  it('is not blocked by what it writes to stderr', async () => {
    expect(
      await probe(`new Promise((done) => process.stderr.write('x'.repeat(5e6), () => done('written')))`),
    ).toBe('written');
  });

  it('ends when the worker is killed', async () => {
    const worker = join(folder, 'worker.mjs');
    const built = join(root, 'libs/infra/dist/sandbox/child-process.js');
    await writeFile(
      worker,
      `import { ChildProcessSandbox } from ${JSON.stringify(built)};
       const { pid, exited } = await new ChildProcessSandbox().launch({ memoryBytes: 64 << 20 });
       console.log(pid);
       await exited;`,
    );
    const parent = spawn(process.execPath, [worker], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await once(parent.stdout, 'data');
    const pid = Number(String(line));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect([parent.exitCode, isAlive(pid)]).toEqual([null, true]);
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false), 5_000);
  }, 15_000);

  it('refuses to exist in production', () => {
    vi.stubEnv('NODE_ENV', 'production');
    expect(() => new ChildProcessSandbox()).toThrow('development only');
  });

  it('that cannot be launched is an error, not a crash', async () => {
    const { execPath } = process;
    try {
      process.execPath = '/nonexistent/node';
      await expect(new ChildProcessSandbox().launch({ memoryBytes: 64 << 20 })).rejects.toThrow('ENOENT');
    } finally {
      process.execPath = execPath;
    }
  });
});
