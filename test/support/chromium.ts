import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const START_LIMIT_MS = 30_000;
const ANSWER_LIMIT_MS = 30_000;
const FLAGS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--remote-debugging-port=0',
];

interface Reply {
  readonly id?: number;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/** A headless Chromium with one page, spoken to by the Chrome DevTools Protocol over its web socket. */
export class Chromium {
  readonly #process: ChildProcess;
  readonly #profile: string;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #session: string | undefined;
  #last = 0;

  private constructor(process: ChildProcess, profile: string, socket: WebSocket) {
    this.#process = process;
    this.#profile = profile;
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => {
      const reply = JSON.parse(String(data)) as Reply;
      if (reply.id !== undefined) this.#waiting.get(reply.id)?.(reply);
    });
  }

  static async start(): Promise<Chromium> {
    const profile = await mkdtemp(join(tmpdir(), 'waxell-chromium-'));
    const process = spawn('chromium', [...FLAGS, `--user-data-dir=${profile}`, 'about:blank'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const socket = new WebSocket(await debuggerOf(process));
    await once(socket, 'open', { signal: AbortSignal.timeout(START_LIMIT_MS) });
    const chromium = new Chromium(process, profile, socket);
    const { targetId } = await chromium.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await chromium.send('Target.attachToTarget', { targetId, flatten: true });
    chromium.#session = String(sessionId);
    return chromium;
  }

  /** Sends a command to the page. */
  async send(method: string, params: object = {}): Promise<Record<string, unknown>> {
    const id = (this.#last += 1);
    const replied = new Promise<Reply>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`${method} was not answered.`)), ANSWER_LIMIT_MS);
      this.#waiting.set(id, (reply) => {
        clearTimeout(late);
        this.#waiting.delete(id);
        resolve(reply);
      });
    });
    const session = this.#session === undefined ? {} : { sessionId: this.#session };
    this.#socket.send(JSON.stringify({ id, method, params, ...session }));
    const { result, error } = await replied;
    if (error) throw new Error(`${method}: ${error.message}`);
    return result ?? {};
  }

  /** Calls a function in the page, with values that survive JSON, and answers what it resolves to. */
  call<P extends readonly unknown[], T>(work: (...values: P) => Promise<T>, ...values: P): Promise<T> {
    return this.evaluate<T>(`(${work.toString()})(...${JSON.stringify(values)})`);
  }

  /** What an expression of the page resolves to. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
      // What asks a security key has to come of somebody who has clicked.
      userGesture: true,
    });
    if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { value: T }).value;
  }

  async stop(): Promise<void> {
    this.#socket.close();
    const ended = once(this.#process, 'close');
    this.#process.kill('SIGKILL');
    await ended;
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}

async function debuggerOf({ stderr }: ChildProcess): Promise<string> {
  if (!stderr) throw new Error('Chromium has no output.');
  const late = AbortSignal.timeout(START_LIMIT_MS);
  for await (const line of createInterface({ input: stderr, signal: late })) {
    const url = /DevTools listening on (ws:\S+)/.exec(line)?.[1];
    if (url !== undefined) {
      stderr.resume();
      return url;
    }
  }
  throw new Error('Chromium has not started.');
}
