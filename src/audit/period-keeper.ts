import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { Cells, LogPeriods } from '../platform/database/index.js';
import { Log } from '../platform/observability/log.js';

const LOOK_MS = 600_000;

/** Sees to it, in every process, that each cell's logs have a table to be appended to, and those of the weeks to come. */
@Injectable()
export class PeriodKeeper implements OnApplicationBootstrap, BeforeApplicationShutdown {
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;

  constructor(
    private readonly cells: Cells,
    private readonly log: Log,
  ) {}

  /** Before anything is served: nothing can be answered while nothing can be appended. */
  async onApplicationBootstrap(): Promise<void> {
    await this.#look();
    this.#timer = setInterval(() => {
      this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
    }, LOOK_MS).unref();
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  async #look(): Promise<void> {
    for (const cell of this.cells.all()) {
      try {
        await new LogPeriods(cell).keep();
      } catch (error) {
        this.log.error('the periods of the logs could not be kept; it is repeated', error, {
          cell: cell.name,
        });
      }
    }
  }
}
