import { setTimeout as sleep } from 'node:timers/promises';
import type { PgBoss } from 'pg-boss';
import { FairTurns } from './fair-turns.js';
import { asError, type JobConsumer, type JobHandler, type QueuedJob } from './job-queue.js';
import { RunningJobs } from './running-jobs.js';

/** An idle consumer asks this often; a job enqueued by its own process wakes it at once. */
const POLL_MS = 250;

interface Taken {
  readonly tenantId: string;
  /** pg-boss's own id of the job. */
  readonly bossId: string;
  readonly job: QueuedJob;
}

export interface PgBossConsumerOptions {
  readonly queue: string;
  readonly concurrency: number;
  readonly drainMs: number;
  readonly leaseSeconds: number;
  readonly onError: (error: Error) => void;
}

/**
 * One loop that takes jobs as places become free. pg-boss's own `work` polls once per place (20 places, 40 queries
 * a second when idle), not more often than every 500 ms, and serves in order of arrival only.
 */
export class PgBossConsumer implements JobConsumer {
  readonly #boss: PgBoss;
  readonly #handler: JobHandler;
  readonly #options: PgBossConsumerOptions;
  readonly #running = new RunningJobs();
  readonly #settling = new Set<Promise<void>>();
  readonly #turns: FairTurns<Taken>;
  readonly #loop: Promise<void>;
  #closing: Promise<void> | undefined;
  #stopped = false;
  #idle = new AbortController();

  constructor(boss: PgBoss, handler: JobHandler, options: PgBossConsumerOptions) {
    this.#boss = boss;
    this.#handler = handler;
    this.#options = options;
    this.#turns = new FairTurns((exceptTenants) => this.#take(exceptTenants));
    this.#loop = this.#takeJobs();
  }

  /** Something may be waiting, or a place is free: ask now. */
  wake(): void {
    this.#idle.abort();
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#stopped = true;
    this.wake();
    await this.#loop;
    await this.#running.drain(this.#options.drainMs);
    await Promise.all(this.#settling);
  }

  async #takeJobs(): Promise<void> {
    while (!this.#stopped) {
      this.#idle = new AbortController();
      let taken: Taken | null = null;
      try {
        if (this.#settling.size < this.#options.concurrency) taken = await this.#turns.next();
      } catch (cause) {
        this.#options.onError(asError(cause));
      }
      if (taken) {
        const settled: Promise<void> = this.#work(taken).finally(() => {
          this.#settling.delete(settled);
          this.wake();
        });
        this.#settling.add(settled);
      } else if (!this.#stopped) {
        await sleep(POLL_MS, undefined, { signal: this.#idle.signal }).catch(() => undefined);
      }
    }
  }

  async #take(exceptTenants: readonly string[]): Promise<Taken | null> {
    const [fetched] = await this.#boss.fetch<QueuedJob>(this.#options.queue, {
      ignoreGroups: [...exceptTenants],
    });
    if (!fetched) return null;
    const { tenantId, id } = fetched.data;
    return { tenantId, bossId: fetched.id, job: { tenantId, id } };
  }

  /** Never rejects. */
  async #work({ bossId, job }: Taken): Promise<void> {
    const { queue, onError } = this.#options;
    const controller = new AbortController();
    const heartbeat = setInterval(
      () => void this.#renew(bossId, controller),
      (this.#options.leaseSeconds * 1_000) / 3,
    );
    try {
      await this.#running.run(job, this.#handler, controller);
      await this.#boss.complete(queue, bossId);
    } catch (cause) {
      onError(asError(cause));
      await this.#fail(bossId);
    } finally {
      clearInterval(heartbeat);
    }
  }

  /** Gives a failed job back. The database may be the very thing that failed, so it is asked until the lease has run out. */
  async #fail(bossId: string): Promise<void> {
    const { queue, leaseSeconds, onError } = this.#options;
    for (const until = Date.now() + leaseSeconds * 1_000; ;) {
      try {
        // Without the reason: it may quote a tenant's data, and the queue carries ids only.
        await this.#boss.fail(queue, bossId);
        return;
      } catch (error) {
        if (this.#stopped || Date.now() > until) {
          onError(asError(error));
          return;
        }
        await sleep(1_000);
      }
    }
  }

  async #renew(bossId: string, controller: AbortController): Promise<void> {
    try {
      const renewed = await this.#boss.touch(this.#options.queue, bossId);
      if ('affected' in renewed && renewed.affected === 0) controller.abort();
    } catch (cause) {
      this.#options.onError(asError(cause));
    }
  }
}
