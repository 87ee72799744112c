import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { RepeatedWork } from '../platform/background/index.js';
import { Cells } from '../platform/database/index.js';
import { Log } from '../platform/observability/log.js';
import { ColdRound } from './cold-round.js';

const LOOK_MS = 600_000;

/** Looks now and then, in every process, whether something of the logs is due to go to cold storage, or to go. */
@Injectable()
export class RetentionKeeper implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #looking = new RepeatedWork(
    (stopping) => this.#all(stopping),
    LOOK_MS,
    // Each cell's failure is told of where it happens.
    () => undefined,
  );

  constructor(
    private readonly cells: Cells,
    private readonly round: ColdRound,
    private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.#looking.start();
  }

  /** Looks now: something has been set that objects are to follow. */
  look(): void {
    this.#looking.now();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.#looking.stop();
  }

  async #all(stopping: AbortSignal): Promise<void> {
    for (const cell of this.cells.all()) {
      try {
        const dropped = (await this.round.execute(cell, stopping)) ?? [];
        if (dropped.length > 0)
          this.log.log(`The logs' periods ${dropped.join(', ')} of ${cell.name} are in cold storage now.`);
      } catch (error) {
        if (!stopping.aborted)
          this.log.error('old logs could not be looked after; it is repeated', error, { cell: cell.name });
      }
    }
  }
}
