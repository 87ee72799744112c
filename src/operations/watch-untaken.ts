import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { RepeatedWork } from '../platform/background/index.js';
import { Gauges } from '../platform/observability/gauges.js';
import { Log } from '../platform/observability/log.js';
import { OperationLeases, type Untaken } from './operation-lease.js';
import { OperationRunner } from './operation-runner.js';

/** Whoever has the step takes it up within a second or, where they are at work on others, soon after. */
export const UNTAKEN_AFTER_SECONDS = 300;
const LOOK_MS = 60_000;
/** Told again after so long, while it lasts. */
const TELL_AGAIN_MS = 30 * 60_000;

/**
 * Tells of operations that stay where they are because no program that runs has their step, as after going back to an older
 * version. A program knows of no other one's steps: what is due for long at a step that it has not itself, and is held by
 * nobody, is taken for that.
 */
@Injectable()
export class WatchUntaken implements OnApplicationBootstrap, BeforeApplicationShutdown {
  /** By kind and step: when it was told of. */
  #told: ReadonlyMap<string, number> = new Map();
  readonly #looking = new RepeatedWork(
    () => this.look(),
    LOOK_MS,
    (error) =>
      this.log.error('operations that nobody takes up could not be looked for; it is repeated', error),
  );

  constructor(
    private readonly leases: OperationLeases,
    private readonly runner: OperationRunner,
    private readonly gauges: Gauges,
    private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.gauges.add({
      name: 'waxell_operations_untaken',
      help: `Operations that are due for ${UNTAKEN_AFTER_SECONDS} seconds at a step that this program has not, and that no other has taken up.`,
      read: async () => [
        { value: (await this.#untaken()).reduce((sum, { operations }) => sum + operations, 0) },
      ],
    });
    this.#looking.start();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.#looking.stop();
  }

  /** One line for a step, however many operations wait at it. */
  async look(now: number = Date.now()): Promise<void> {
    const told = new Map<string, number>();
    for (const one of await this.#untaken()) {
      const key = JSON.stringify([one.kind, one.step]);
      const before = this.#told.get(key);
      const due = before === undefined || now - before >= TELL_AGAIN_MS;
      if (due) this.log.warn(ADVICE, { ...one, since: one.since.toISOString() });
      told.set(key, due ? now : before);
    }
    // What is taken up and comes back is told of at once.
    this.#told = told;
  }

  #untaken(): Promise<Untaken[]> {
    return this.leases.untaken(this.runner.known(), UNTAKEN_AFTER_SECONDS);
  }
}

const ADVICE =
  'Operations wait for a program that has their step, and none that runs takes them up: start a process of the version that has it, until they have ended (docs/operations/migrations.md).';
