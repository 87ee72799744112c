import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const BUILT = fileURLToPath(new URL('../../dist', import.meta.url));
const START_LIMIT_MS = 45_000;
const STOP_LIMIT_MS = 20_000;

/** What the first start writes down for its user. */
export interface FirstRun {
  readonly baseUrl: string;
  readonly tenant: string;
  readonly ownerEmail: string;
  readonly ownerPassword: string;
  readonly apiKey: string;
  readonly operatorKey: string;
}

export interface Application {
  readonly home: string;
  readonly pid: number;
  readonly first: FirstRun;
  readonly startedInMs: number;
  /** The last of what it wrote to its terminal. */
  output(): string;
  /** SIGTERM, and how the process ended; the data folder stays. */
  stop(): Promise<{ code: number | null; signal: string | null }>;
  /** Ends whatever still runs and removes the data folder. Safe to call at any time, more than once. */
  remove(): Promise<void>;
}

export interface ApplicationOptions {
  readonly env?: Record<string, string | undefined>;
  /** Arguments for node itself, such as `--cpu-prof`. */
  readonly nodeArguments?: readonly string[];
  /** Ends the start, should it still be going on. */
  readonly signal?: AbortSignal;
}

/**
 * Boots the built application, embedded, in a data folder of its own and on a free port. Nothing of the caller's
 * environment reaches it but what is given here.
 */
export async function startApplication(options: ApplicationOptions = {}): Promise<Application> {
  const home = await mkdtemp(join(tmpdir(), 'waxell-'));
  // As root, PostgreSQL runs as another user, who has to pass through to its own folder.
  await chmod(home, 0o711);
  const begun = Date.now();
  const { PATH, LANG } = process.env;
  const program = spawn(
    process.execPath,
    ['--enable-source-maps', ...(options.nodeArguments ?? []), 'main.js'],
    {
      cwd: BUILT,
      env: { PATH, LANG, LOG_LEVEL: 'warn', ...options.env, WAXELL_HOME: home, PORT: '0' },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let output = '';
  for (const stream of [program.stdout, program.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-8_000);
    });
  }
  const exited = once(program, 'exit') as Promise<[number | null, string | null]>;
  const running = (): boolean => program.exitCode === null && program.signalCode === null;

  const stop = async (): Promise<{ code: number | null; signal: string | null }> => {
    if (running()) program.kill('SIGTERM');
    const late = setTimeout(() => program.kill('SIGKILL'), STOP_LIMIT_MS);
    const [code, signal] = running() ? await exited : [program.exitCode, program.signalCode];
    clearTimeout(late);
    return { code, signal };
  };
  const remove = async (): Promise<void> => {
    await stop();
    await rm(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  };

  try {
    while (Date.now() - begun < START_LIMIT_MS) {
      options.signal?.throwIfAborted();
      if (!running()) throw new Error(`The application ended while it started:\n${output}`);
      const first = await firstRunOf(home);
      if (first) {
        const startedInMs = Date.now() - begun;
        return { home, pid: program.pid ?? 0, first, startedInMs, output: () => output, stop, remove };
      }
      await sleep(25);
    }
    throw new Error(`The application did not start within ${START_LIMIT_MS} ms:\n${output}`);
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Written with the real port once the application listens; before that the port is 0. */
async function firstRunOf(home: string): Promise<FirstRun | undefined> {
  try {
    const first = JSON.parse(await readFile(join(home, 'first-run.json'), 'utf8')) as FirstRun;
    return new URL(first.baseUrl).port === '0' ? undefined : first;
  } catch {
    return undefined;
  }
}
