import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { Cells } from '../platform/database/index.js';
import { Log } from '../platform/observability/log.js';
import { ColdRound } from './cold-round.js';

const LOOK_MS = 600_000;

/** Looks now and then, in every process, whether something of the logs is due to go to cold storage, or to go. */
@Injectable()
export class RetentionKeeper implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;

  constructor(
    private readonly cells: Cells,
    private readonly round: ColdRound,
    private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.#timer = setInterval(() => this.look(), LOOK_MS).unref();
  }

  /** Looks now: something has been set that objects are to follow. */
  look(): void {
    this.#looking ??= this.#all().finally(() => (this.#looking = undefined));
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.#stopping.abort();
    clearInterval(this.#timer);
    await this.#looking;
  }

  async #all(): Promise<void> {
    for (const cell of this.cells.all()) {
      try {
        const dropped = (await this.round.execute(cell, this.#stopping.signal)) ?? [];
        if (dropped.length > 0)
          this.log.log(`The logs' periods ${dropped.join(', ')} of ${cell.name} are in cold storage now.`);
      } catch (error) {
        if (!this.#stopping.signal.aborted)
          this.log.error('old logs could not be looked after; it is repeated', error, { cell: cell.name });
      }
    }
  }
}
