import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { RegionConfig, WorkerConfig } from '../platform/config/index.js';
import { Cells, isTenantId } from '../platform/database/index.js';
import { Log } from '../platform/observability/log.js';
import { TenantRegistry } from '../tenancy/index.js';
import { ExecuteQueuedRun } from './execute-queued-run.js';
import { RunQueues, type JobQueue } from './job-queue.js';
import { RunDispatch } from './run-dispatch.js';

const SWEEP_MS = 5_000;

/** Takes runs from the queue of every cell that it serves, and sees to it that none is forgotten. */
@Injectable()
export class RunWorker implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #consumers: { close(): Promise<void> }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<void> = Promise.resolve();

  constructor(
    private readonly queues: RunQueues,
    private readonly tenants: TenantRegistry,
    private readonly dispatch: RunDispatch,
    private readonly run: ExecuteQueuedRun,
    private readonly config: WorkerConfig,
    private readonly cells: Cells,
    private readonly regions: RegionConfig,
    private readonly log: Log,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    const { concurrency, alone } = this.config;
    for (const [cell, queue] of this.#served()) {
      if (alone) await this.dispatch.freeAll(cell);
      this.#consumers.push(
        await queue.consume(RunQueues.RUNS, { concurrency }, (job, signal) => this.#work(job, signal)),
      );
    }
    this.#sweepSoon(0);
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#sweeping;
    await Promise.all(this.#consumers.map((consumer) => consumer.close()));
  }

  /** The queues of the regions that this process serves. */
  #served(): [string, JobQueue][] {
    return this.queues.all().filter(([cell]) => this.regions.serves(this.cells.of(cell).region));
  }

  async #work(job: { tenantId: string; id: string }, signal: AbortSignal): Promise<void> {
    const tenant = isTenantId(job.tenantId) ? await this.tenants.byId(job.tenantId) : undefined;
    if (!tenant || !this.regions.serves(tenant.region)) return;
    // A run of a tenant that is being moved is taken up where it moves to.
    if (tenant.status === 'active' && tenant.writesPaused) return;
    // Not an error and not the end: it is queued again once the tenant is served again.
    if (tenant.status !== 'active' || tenant.behind) return this.dispatch.notTaken(tenant, job.id);
    const lease = await this.dispatch.acquire(tenant, job.id);
    if (lease) await this.run.execute(lease, signal);
  }

  #sweepSoon(afterMs: number): void {
    this.#timer = setTimeout(() => {
      this.#sweeping = this.#sweep().finally(() => this.#sweepSoon(SWEEP_MS));
    }, afterMs);
  }

  async #sweep(): Promise<void> {
    for (const [cell] of this.#served()) {
      try {
        const queued = await this.dispatch.sweep(cell, await this.tenants.notServed(cell));
        if (queued > 0) this.log.log(`Queued ${queued} runs again in ${cell}.`);
      } catch (error) {
        this.log.error('the sweep for forgotten runs failed; it is repeated', error, { cell });
      }
    }
  }
}
