import { setTimeout as sleep } from 'node:timers/promises';
import type { JobHandler, QueuedJob } from './job-queue.js';

/** How long an aborted handler may still take to notice. */
const ABORT_GRACE_MS = 2_000;

/** The jobs that one consumer has at work, each with a signal to abort it. */
export class RunningJobs {
  readonly #running = new Map<AbortController, { readonly job: QueuedJob; readonly done: Promise<void> }>();

  get size(): number {
    return this.#running.size;
  }

  /** Runs the handler; rejects when the handler fails, and as soon as its signal is aborted. */
  async run(job: QueuedJob, handler: JobHandler, controller = new AbortController()): Promise<void> {
    const aborted = new Promise<never>((_, reject) => {
      controller.signal.addEventListener('abort', () => reject(new Error('The job was aborted')), {
        once: true,
      });
    });
    const work = (async () => handler(job, controller.signal))();
    this.#running.set(controller, { job, done: work });
    const forget = () => this.#running.delete(controller);
    void work.then(forget, forget);
    await Promise.race([work, aborted]);
  }

  /** Waits for all, aborts those that take longer than the bound, and gives them a moment to notice. */
  async drain(limitMs: number): Promise<void> {
    await this.#settled(limitMs);
    for (const controller of this.#running.keys()) controller.abort();
    await this.#settled(ABORT_GRACE_MS);
  }

  async #settled(limitMs: number): Promise<void> {
    const timer = new AbortController();
    const done = Promise.allSettled([...this.#running.values()].map((entry) => entry.done));
    await Promise.race([done, sleep(limitMs, undefined, { signal: timer.signal }).catch(() => undefined)]);
    timer.abort();
  }
}
