import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { Log } from '../observability/log.js';
import { Cells } from './cells.js';
import { Provisioning } from './provisioning.js';

/** After the start, which has better things to do; then between two looks at the pools. */
const FIRST_LOOK_MS = 2_000;
const LOOK_MS = 2_000;
/** After a look that failed. */
const RETRY_MS = 30_000;
/** A rest as long as the work: requests have the better half of the database. */
const REST = 1;
/** Longer than any process takes from a claim to the tenant it is for. */
const ABANDONED_AFTER_SECONDS = 120;

/** Keeps so many spare tenants ready in each database, in the background. */
@Injectable()
export class SpareFiller implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> = Promise.resolve();

  constructor(
    private readonly cells: Cells,
    private readonly provisioning: Provisioning,
    private readonly log: Log,
    /** Per database; with 0 none are built. */
    private readonly target: number,
  ) {}

  onApplicationBootstrap(): void {
    this.#lookIn(FIRST_LOOK_MS);
  }

  /** Begins no other spare, and waits for the one at work. */
  async stop(): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#timer);
    await this.#working;
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.stop();
  }

  #lookIn(ms: number): void {
    if (this.#stop.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#working = this.#look().then((well) => this.#lookIn(well ? LOOK_MS : RETRY_MS));
    }, ms).unref();
  }

  /** Whether every database could be looked after. One that could not does not keep the others from it. */
  async #look(): Promise<boolean> {
    let well = true;
    for (const { name: cell } of this.cells.all()) {
      try {
        await this.#lookAfter(cell);
      } catch (error) {
        well = false;
        this.log.error('spare tenants could not be looked after; it is tried again', error, { cell });
      }
    }
    return well;
  }

  async #lookAfter(cell: string): Promise<void> {
    const dropped = await this.provisioning.dropAbandonedSpares(cell, ABANDONED_AFTER_SECONDS);
    if (dropped > 0) this.log.log(`Dropped ${dropped} spare tenants that were claimed and never used.`);
    if (this.target === 0) return;
    const refill = { target: this.target, rest: REST, signal: this.#stop.signal };
    await this.provisioning.refillSpares(cell, refill);
  }
}
