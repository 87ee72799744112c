import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { KeySchedules } from '../encryption/index.js';
import { OperationUnderWay } from '../operations/index.js';
import { RepeatedWork } from '../platform/background/index.js';
import type { TenantId } from '../platform/database/index.js';
import { Log } from '../platform/observability/log.js';
import { RegistryWork } from '../requests/index.js';
import { RotateKeys } from './rotate-keys.js';

const LOOK_MS = 60_000;
/** Rotations that are begun at one look: what is due all at once is spread over time. */
const AT_ONCE = 20;
const RETRY_SECONDS = 3_600;

/** Begins rotations that are due. Every process looks; what one takes, no other does. A look costs one query. */
@Injectable()
export class RotationSchedule implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #looking = new RepeatedWork(
    () => this.look(),
    LOOK_MS,
    (error) => this.log.error('due rotations could not be begun; it is repeated', error),
  );

  constructor(
    private readonly schedules: KeySchedules,
    private readonly rotate: RotateKeys,
    private readonly work: RegistryWork,
    private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.#looking.start();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.#looking.stop();
  }

  /** Answers how many it has begun. */
  async look(): Promise<number> {
    const due = await this.schedules.takeDue(AT_ONCE, RETRY_SECONDS);
    let begun = 0;
    for (const tenant of due) if (await this.#begin(tenant)) begun += 1;
    return begun;
  }

  async #begin(tenant: TenantId): Promise<boolean> {
    try {
      await this.work.bookkeeping('the rotation itself is the event', tenant, (registry) =>
        this.rotate.begin(registry, tenant, 'due'),
      );
      return true;
    } catch (error) {
      if (error instanceof OperationUnderWay) return false;
      throw error;
    }
  }
}
