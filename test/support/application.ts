import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { inject } from 'vitest';
import type { FirstRun } from '../../src/first-run.js';
import { COMPILED } from './compiled.js';
import { freePort } from './free-port.js';

export type { FirstRun };

export interface ApplicationOptions {
  /** Variables beyond those of a bare `npm start`. */
  readonly env?: Readonly<Record<string, string>>;
  /** An existing data folder; else one of its own, which `dispose` takes away. */
  readonly home?: string;
  /** On an empty folder, for who looks at the first start or needs it under other variables; else on a prepared one. */
  readonly first?: boolean;
}

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const START_LIMIT_MS = 100_000;
/** All of a test's people come from one address: only tests of the limits themselves have lower ones. */
export const HIGH_LIMITS = Object.fromEntries(
  ['IP', 'TENANT', 'SIGN_IN', 'TENANT_SIGN_IN'].flatMap((name) => [
    [`RATE_LIMIT_${name}_PER_${name.endsWith('SIGN_IN') ? 'MINUTE' : 'SECOND'}`, '100000'],
    [`RATE_LIMIT_${name}_BURST`, '100000'],
  ]),
);

/** What a test process has started and must not leave behind, even when it is killed itself. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A folder that the embedded PostgreSQL's own user may pass through. */
export async function newHome(): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'waxell-e2e-'));
  await chmod(home, 0o711);
  return home;
}

/** A folder after the first start: a copy, with owners and modes, of the run's. Nothing in it names where it is. */
export async function preparedHome(): Promise<string> {
  const home = await newHome();
  await promisify(execFile)('cp', ['-a', `${inject('preparedHome')}/.`, home]);
  return home;
}

/** Starts the built program as `npm start` does, and waits until it is ready. */
export async function startApplication(options: ApplicationOptions = {}): Promise<Application> {
  const home = options.home ?? (await (options.first ? newHome() : preparedHome()));
  const application = new Application(home, await freePort(), options.env ?? {});
  await application.start();
  return application;
}

/** The program as its operator sees it: a process, a data folder and a port. */
export class Application {
  readonly home: string;
  readonly port: number;
  readonly baseUrl: string;
  readonly #env: Readonly<Record<string, string>>;
  #child: ChildProcess | undefined;
  #firstRun: FirstRun | undefined;
  #output = '';

  constructor(home: string, port: number, env: Readonly<Record<string, string>>) {
    this.home = home;
    this.port = port;
    this.baseUrl = `http://127.0.0.1:${port}`;
    this.#env = env;
  }

  /** The credentials that the first start has written down. */
  get firstRun(): FirstRun {
    if (!this.#firstRun) throw new Error('The application has not started yet.');
    return this.#firstRun;
  }

  /** Everything printed so far, by all starts. */
  logs(): string {
    return this.#output;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error('The application does not run.');
    return pid;
  }

  async start(): Promise<void> {
    const child = this.launch();
    const deadline = Date.now() + START_LIMIT_MS;
    while (!(await isReady(this.baseUrl))) {
      if (!isAlive(child)) {
        this.#child = undefined;
        throw new Error(`The application ended while it started:\n${this.#output}`);
      }
      if (Date.now() > deadline) {
        this.#child = undefined;
        child.kill('SIGKILL');
        throw new Error(`The application was not ready in time:\n${this.#output}`);
      }
      await sleep(25);
    }
    this.#firstRun = JSON.parse(await readFile(join(this.home, 'first-run.json'), 'utf8')) as FirstRun;
  }

  /** Starts the process, and waits for nothing. */
  launch(): ChildProcess {
    if (this.#child && isAlive(this.#child)) throw new Error('The application runs already.');
    const env = {
      PATH: process.env['PATH'] ?? '',
      HOME: process.env['HOME'] ?? '',
      WAXELL_HOME: this.home,
      PORT: String(this.port),
      LOG_LEVEL: 'warn',
      ...COMPILED,
      // Each start would build sixteen, which few tests need.
      SPARE_TENANTS: '2',
      // Thousands of people of tests have passwords, and sign in.
      ARGON2_MEMORY_KIB: '8192',
      ARGON2_PASSES: '1',
      ...HIGH_LIMITS,
      ...this.#env,
    };
    const child = spawn(process.execPath, ['--enable-source-maps', MAIN], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const collect = (text: Buffer): void => {
      this.#output += text.toString();
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    running.add(child);
    child.once('exit', () => {
      running.delete(child);
    });
    this.#child = child;
    return child;
  }

  /** Asks it to stop, as Ctrl-C does, and insists on a clean end. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (!child) return;
    this.#child = undefined;
    if (!isAlive(child))
      throw new Error(
        `The application ended unasked (${child.exitCode ?? child.signalCode}):\n${this.#output}`,
      );
    child.kill('SIGINT');
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
    if (code !== 0)
      throw new Error(`The application ended with ${code ?? signal} instead of 0:\n${this.#output}`);
  }

  /** As if the machine's power went: no chance to finish anything. */
  async kill9(): Promise<void> {
    const child = this.#child;
    if (!child) return;
    this.#child = undefined;
    child.kill('SIGKILL');
    await once(child, 'close');
  }

  /** Waits for it to end by itself; answers its exit code. */
  async exited(limitMs: number): Promise<number | null> {
    const child = this.#child;
    if (!child) throw new Error('The application does not run.');
    this.#child = undefined;
    const [code] = (await once(child, 'close', { signal: AbortSignal.timeout(limitMs) })) as [number | null];
    return code;
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Stops it and takes its data away. */
  async dispose(): Promise<void> {
    try {
      await this.stop();
    } finally {
      await rm(this.home, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    }
  }

  /** Ids of the processes, PostgreSQL's above all, whose arguments name the data folder. */
  async processesOnHome(): Promise<string[]> {
    const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    const found = await Promise.all(
      ids.map(async (id) => {
        const args = await readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '');
        return args.includes(join(this.home, 'postgres')) ? [id] : [];
      }),
    );
    return found.flat();
  }
}

function isAlive({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null;
}

/** Whether it can serve. */
export async function isReady(baseUrl: string): Promise<boolean> {
  try {
    const response = await fetch(`${baseUrl}/readyz`, { signal: AbortSignal.timeout(5_000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}
