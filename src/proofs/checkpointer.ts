import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { RetentionConfig } from '../platform/config/index.js';
import { RepeatedWork } from '../platform/background/index.js';
import { Cells, type Cell } from '../platform/database/index.js';
import { CellObjects } from '../platform/objects/index.js';
import { ServiceUnavailable } from '../platform/http/errors.js';
import { Log } from '../platform/observability/log.js';
import { AuditLog } from '../audit/index.js';
import { CheckpointKeys } from './checkpoint-keys.js';
import { checkpointRound } from './checkpoint-round.js';
import { StoreProofs } from './store-proofs.js';

/** A log that has grown has a checkpoint within this time and the time of a round. */
const EVERY_MS = 5_000;
/** How long a request waits for a checkpoint. */
const PATIENCE_MS = 8_000;

/** Signs checkpoints of all logs that have grown, every few seconds; of many processes one at a time does it for a cell. */
@Injectable()
export class Checkpointer implements OnApplicationBootstrap, BeforeApplicationShutdown {
  /** One for each cell: a slow one keeps no other waiting. */
  readonly #rounds: readonly RepeatedWork[];
  readonly #proofs: StoreProofs;
  readonly #storing = new Map<string, Promise<void>>();
  /** By cell: what is being done, and what is done after it. */
  readonly #atWork = new Map<string, Promise<void>>();
  readonly #waiting = new Map<string, Promise<void>>();

  constructor(
    cells: Cells,
    private readonly log: AuditLog,
    private readonly keys: CheckpointKeys,
    private readonly objects: CellObjects,
    private readonly logger: Log,
    retention: RetentionConfig,
  ) {
    this.#proofs = new StoreProofs(objects, retention);
    this.#rounds = cells.all().map((cell) => {
      const failed = (error: unknown): void =>
        this.logger.error('logs could not be checkpointed; it is repeated', error, { cell: cell.name });
      return new RepeatedWork(() => this.bringUp(cell), EVERY_MS, failed);
    });
  }

  onApplicationBootstrap(): void {
    for (const round of this.#rounds) round.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all(this.#rounds.map((round) => round.stop()));
    await Promise.all(this.#storing.values());
  }

  get #stopping(): boolean {
    return this.#rounds.some(({ stopping }) => stopping);
  }

  /** Resolves when what was signed before the call is in the object store, or could not be put there. */
  async stored(cell: Cell): Promise<void> {
    await this.#storing.get(cell.name);
    await this.#store(cell);
  }

  /** Brings every log of a cell up to a checkpoint that covers all that was answered before the call. */
  bringUp(cell: Cell): Promise<void> {
    const waiting = this.#waiting.get(cell.name);
    if (waiting) return waiting;
    // What is at work already may have read our log before its last event; those who come meanwhile share the next.
    const before = this.#atWork.get(cell.name) ?? Promise.resolve();
    const next = before
      .catch(() => undefined)
      .then(() => {
        this.#waiting.delete(cell.name);
        const work = this.#bringUp(cell).finally(() => this.#atWork.delete(cell.name));
        this.#atWork.set(cell.name, work);
        return work;
      });
    this.#waiting.set(cell.name, next);
    return next;
  }

  async #bringUp(cell: Cell): Promise<void> {
    await this.log.drainOutbox(cell.name);
    for (const until = Date.now() + PATIENCE_MS; ;) {
      const more = await this.#once(cell);
      if (more === false) return;
      if (this.#stopping || Date.now() > until)
        throw new ServiceUnavailable('The log is being checkpointed. Repeat the request in a moment.');
      // Another process is at it.
      if (more === undefined) await sleep(50);
    }
  }

  /** One pass at a time for a cell, which nobody waits for: what is not stored by it is stored by the next. */
  #store(cell: Cell): Promise<void> {
    const atWork = this.#storing.get(cell.name);
    if (atWork) return atWork;
    const work = this.#proofs
      .execute(cell, () => this.#stopping)
      .catch((error: unknown) => {
        const where = { cell: cell.name };
        if (!this.#stopping)
          this.logger.error('tiles or checkpoints could not be stored; it is repeated', error, where);
      })
      .finally(() => this.#storing.delete(cell.name));
    this.#storing.set(cell.name, work);
    return work;
  }

  async #once(cell: Cell): Promise<boolean | undefined> {
    const signers = await this.keys.signers();
    const objects = this.objects.of(cell.name);
    const client = await cell.audit.connect();
    let broken: Error | undefined;
    let round: boolean | undefined;
    try {
      await client.query('BEGIN');
      const of = { origin: this.keys.name, cell: cell.name };
      const more = await checkpointRound({ client, objects, signers, ...of });
      await client.query('COMMIT');
      round = more;
    } catch (error) {
      await client.query('ROLLBACK').catch((failure: Error) => (broken = failure));
      throw error;
    } finally {
      client.release(broken);
    }
    if (round !== undefined) void this.#store(cell);
    return round;
  }
}
