/** Carries the ids of runs to workers; nothing that is only in it matters. Adapters: pg-boss, BullMQ (libs/infra). */
export abstract class JobQueue {
  /** No effect while a job of the same ids is waiting or at work. */
  abstract enqueue(queue: string, job: { tenantId: string; id: string }): Promise<void>;
  abstract consume(
    queue: string,
    options: { concurrency: number },
    handler: (job: { tenantId: string; id: string }, signal: AbortSignal) => Promise<void>,
  ): Promise<{ close(): Promise<void> }>;
}

/** The queue of each region: what a tenant queues stays where the tenant is. */
export class RunQueues {
  static readonly RUNS = 'runs';

  constructor(private readonly byRegion: ReadonlyMap<string, JobQueue>) {}

  of(region: string): JobQueue {
    const queue = this.byRegion.get(region);
    if (!queue) throw new Error(`No queue is configured for region ${region}.`);
    return queue;
  }

  all(): [string, JobQueue][] {
    return [...this.byRegion];
  }
}
