/** What a queue carries: whose job it is and which. Everything else is read from PostgreSQL, the truth. */
export interface QueuedJob {
  readonly tenantId: string;
  readonly id: string;
}

/**
 * Does one job. Called at least once per job, so it must tolerate a repetition. The signal is aborted when the
 * consumer shuts down and its time is over, and when the job was given to somebody else meanwhile.
 */
export type JobHandler = (job: QueuedJob, signal: AbortSignal) => Promise<void>;

export interface ConsumeOptions {
  /** How many jobs one consumer does at a time. */
  readonly concurrency: number;
  /** How long `close` waits for the jobs at work before it aborts them. Default 30 s. */
  readonly drainMs?: number;
}

export interface JobConsumer {
  /** Takes no further job, waits for those at work, aborts what exceeds its time. Safe to call more than once. */
  close(): Promise<void>;
}

export interface QueueTuning {
  /** How often a failing job is tried again before it is dropped. Default 5. */
  readonly retries?: number;
  /** The first pause between tries, in whole seconds; doubles each time up to a minute. Default 1. */
  readonly retryDelaySeconds?: number;
  /** After how many seconds without a sign of life a job at work is given to another consumer. At least 10; default 30. */
  readonly leaseSeconds?: number;
  /** Told of what no caller is waiting for: failing handlers, lost connections. */
  readonly onError: (error: Error) => void;
}

export const DEFAULTS = { retries: 5, retryDelaySeconds: 1, leaseSeconds: 30, drainMs: 30_000 } as const;
export const RETRY_DELAY_LIMIT_SECONDS = 60;

export class QueueUnavailable extends Error {
  override readonly name = 'QueueUnavailable';
}

/** Queue names become part of SQL and of Redis keys. */
export function requireQueueName(queue: string): void {
  if (!/^[a-z][a-z0-9-]{0,49}$/.test(queue)) {
    throw new Error(`Not a queue name (a-z, 0-9 and '-', at most 50): ${JSON.stringify(queue)}`);
  }
}

/** One key per job; the part lengths cannot be shifted, since neither part may contain the separator. */
export function jobKey(job: QueuedJob): string {
  for (const part of [job.tenantId, job.id]) {
    if (!/^[A-Za-z0-9_.-]{1,100}$/.test(part))
      throw new Error(`Not an id that a queue carries: ${JSON.stringify(part)}`);
  }
  return `${job.tenantId}/${job.id}`;
}

export function asError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error(String(cause));
}
