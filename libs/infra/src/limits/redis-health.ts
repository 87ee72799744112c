import type { Redis } from 'ioredis';
import { asError } from '../queue/job-queue.js';

const PROBE_MS = 500;

/** Whether Redis can be asked. What asks it does not wait to find out: while it is lost, a probe of its own looks for it. */
export class RedisHealth {
  #lost = false;
  #closed = false;
  #probe: NodeJS.Timeout | undefined;

  constructor(
    private readonly redis: Redis,
    private readonly onChange: (reachable: boolean, cause?: Error) => void,
  ) {
    // ioredis connects again by itself, and says each time why it could not.
    redis.on('error', (error: Error) => this.failed(error));
    redis.on('close', () => this.failed(new Error('The connection was closed.')));
  }

  reachable(): boolean {
    return !this.#lost && this.redis.status === 'ready';
  }

  /** Resolves when it is connected, or after the time given. */
  async connect(limitMs: number): Promise<void> {
    const late = AbortSignal.timeout(limitMs);
    const connected = this.redis.connect().catch(() => undefined);
    await Promise.race([
      connected,
      new Promise<void>((resolve) => late.addEventListener('abort', () => resolve(), { once: true })),
    ]);
  }

  /** Says so once, however many requests found out. */
  failed(cause: unknown): void {
    if (this.#lost) return;
    this.#lost = true;
    if (this.#closed) return;
    this.onChange(false, asError(cause));
    this.#probeSoon();
  }

  /** From now on it cannot be asked: whoever still waits is answered without it. */
  close(): void {
    this.#closed = true;
    this.#lost = true;
    clearTimeout(this.#probe);
    this.redis.disconnect();
  }

  #probeSoon(): void {
    this.#probe = setTimeout(() => {
      this.redis.ping().then(
        () => {
          if (this.#closed) return;
          this.#lost = false;
          this.onChange(true);
        },
        () => {
          if (!this.#closed) this.#probeSoon();
        },
      );
    }, PROBE_MS).unref();
  }
}
