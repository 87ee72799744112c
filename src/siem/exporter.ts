import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { RegionConfig, WorkerConfig } from '../platform/config/index.js';
import { Cells, type Cell } from '../platform/database/index.js';
import { Log } from '../platform/observability/log.js';
import { Deliver } from './deliver.js';
import { Deliveries, type DeliveryLease } from './deliveries.js';

const POLL_MS = 1_000;
/** Turns at once, of one process and cell: with the bytes of a turn, what it needs of memory. */
const AT_ONCE = 8;
/** Of one tenant: receivers that hang hold up their own tenant's others, and nobody else's. */
const OF_ONE_TENANT = 2;

/**
 * Follows the logs, and has what they have grown by delivered. Of many processes, one sends to a destination at a time.
 * Requests know nothing of it: it reads what is in the log.
 */
@Injectable()
export class Exporter implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #timers = new Map<string, { readonly timer: NodeJS.Timeout; readonly at: number }>();
  readonly #atWork = new Map<Promise<void>, DeliveryLease>();
  readonly #looking = new Map<string, Promise<void>>();
  readonly #stop = new AbortController();
  #started = false;

  constructor(
    private readonly cells: Cells,
    private readonly deliveries: Deliveries,
    private readonly deliver: Deliver,
    private readonly regions: RegionConfig,
    private readonly worker: WorkerConfig,
    private readonly log: Log,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    this.#started = true;
    for (const cell of this.#served()) {
      if (this.worker.alone) await this.deliveries.freeAll(cell);
      this.#lookSoon(cell, POLL_MS);
    }
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.#stop.abort();
    for (const { timer } of this.#timers.values()) clearTimeout(timer);
    await Promise.all(this.#looking.values());
    await Promise.all(this.#atWork.keys());
  }

  /** Delivers until nothing is due any more, here. */
  async settle(): Promise<void> {
    for (const cell of this.#served()) {
      while ((await this.#look(cell)) > 0 || this.#atWork.size > 0) {
        await Promise.all([...this.#looking.values(), ...this.#atWork.keys()]);
      }
    }
  }

  get #stopping(): boolean {
    return this.#stop.signal.aborted;
  }

  #served(): Cell[] {
    return this.cells.all().filter(({ region }) => this.regions.serves(region));
  }

  #lookSoon(cell: Cell, afterMs: number): void {
    if (!this.#started || this.#stopping) return;
    const at = performance.now() + afterMs;
    const pending = this.#timers.get(cell.name);
    // A turn that ended has asked for the next look sooner.
    if (pending && pending.at <= at) return;
    clearTimeout(pending?.timer);
    const timer = setTimeout(() => {
      this.#timers.delete(cell.name);
      const looking = this.#look(cell)
        .catch((error: unknown) => {
          if (!this.#stopping) this.log.error('deliveries could not be looked for; it is repeated', error);
        })
        .then(() => this.#lookSoon(cell, POLL_MS));
      this.#looking.set(cell.name, looking);
    }, afterMs);
    this.#timers.set(cell.name, { timer, at });
  }

  /** Begins as many turns as there is room for; answers how many. */
  async #look(cell: Cell): Promise<number> {
    const room = AT_ONCE - this.#atWork.size;
    if (room <= 0 || this.#stopping) return 0;
    const leases = await this.deliveries.acquire(cell, room, this.#busy());
    for (const lease of leases) {
      const work = this.#turn(cell, lease).finally(() => this.#atWork.delete(work));
      this.#atWork.set(work, lease);
    }
    return leases.length;
  }

  #busy(): string[] {
    const counts = new Map<string, number>();
    for (const { tenant } of this.#atWork.values()) counts.set(tenant, (counts.get(tenant) ?? 0) + 1);
    return [...counts].filter(([, count]) => count >= OF_ONE_TENANT).map(([tenant]) => tenant);
  }

  async #turn(cell: Cell, lease: DeliveryLease): Promise<void> {
    const { tenant, destination } = lease;
    try {
      const result = await this.deliver.turn(cell, lease, this.#stop.signal);
      if (result === 'more') this.#lookSoon(cell, 0);
    } catch (error) {
      if (!this.#stopping)
        this.log.error('a delivery failed; it is repeated', error, { tenant, destination });
    }
  }
}
