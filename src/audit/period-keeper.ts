import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { RepeatedWork } from '../platform/background/index.js';
import { Cells, LogPeriods } from '../platform/database/index.js';
import { Log } from '../platform/observability/log.js';

const LOOK_MS = 600_000;

/** Sees to it, in every process, that each cell's logs have a table to be appended to, and those of the weeks to come. */
@Injectable()
export class PeriodKeeper implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #looking = new RepeatedWork(
    () => this.#look(),
    LOOK_MS,
    // Each cell's failure is told of where it happens.
    () => undefined,
  );

  constructor(
    private readonly cells: Cells,
    private readonly log: Log,
  ) {}

  /** Before anything is served: nothing can be answered while nothing can be appended. */
  async onApplicationBootstrap(): Promise<void> {
    await this.#look();
    this.#looking.start();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.#looking.stop();
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
