/** Carries the ids of runs to workers; nothing that is only in it matters. Adapters: pg-boss, BullMQ (libs/infra). */
export abstract class JobQueue {
  /** No effect while a job of the same ids is waiting or at work. */
  abstract enqueue(queue: string, job: { tenantId: string; id: string }): Promise<void>;
  abstract consume(
    queue: string,
    options: { concurrency: number },
    handler: (job: { tenantId: string; id: string }, signal: AbortSignal) => Promise<void>,
  ): Promise<{ close(): Promise<void> }>;
  /** Takes a tenant's jobs out, whatever became of them. Answers how many are at work and could not be taken. */
  abstract removeTenant(queue: string, tenantId: string): Promise<number>;
}

/** The queue of each cell: what a tenant queues stays where the tenant is. */
export class RunQueues {
  static readonly RUNS = 'runs';

  constructor(private readonly byCell: ReadonlyMap<string, JobQueue>) {}

  of(cell: string): JobQueue {
    const queue = this.byCell.get(cell);
    if (!queue) throw new Error(`No cell of the name ${cell} is configured.`);
    return queue;
  }

  all(): [string, JobQueue][] {
    return [...this.byCell];
  }
}
