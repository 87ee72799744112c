import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { RepeatedWork } from '../platform/background/index.js';
import { Cells, type Cell } from '../platform/database/index.js';
import { CellObjects } from '../platform/objects/index.js';
import { ServiceUnavailable } from '../platform/http/errors.js';
import { Log } from '../platform/observability/log.js';
import { AuditLog } from '../audit/index.js';
import { CheckpointKeys } from './checkpoint-keys.js';
import { checkpointRound } from './checkpoint-round.js';
import { objectKey, ROOT_LOG } from './log-tree.js';

/** A log that has grown has a checkpoint within this time and the time of a round. */
const EVERY_MS = 5_000;
/** How long a request waits for a checkpoint. */
const PATIENCE_MS = 8_000;

/** Signs checkpoints of all logs that have grown, every few seconds; of many processes one at a time does it for a cell. */
@Injectable()
export class Checkpointer implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #rounds = new RepeatedWork(
    () => this.#all(),
    EVERY_MS,
    // Each cell's failure is told of where it happens.
    () => undefined,
  );
  /** By cell: what is being done, and what is done after it. */
  readonly #atWork = new Map<string, Promise<void>>();
  readonly #waiting = new Map<string, Promise<void>>();

  constructor(
    private readonly cells: Cells,
    private readonly log: AuditLog,
    private readonly keys: CheckpointKeys,
    private readonly objects: CellObjects,
    private readonly logger: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.#rounds.start();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.#rounds.stop();
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
      if (this.#rounds.stopping || Date.now() > until)
        throw new ServiceUnavailable('The log is being checkpointed. Repeat the request in a moment.');
      // Another process is at it.
      if (more === undefined) await sleep(50);
    }
  }

  async #all(): Promise<void> {
    for (const cell of this.cells.all()) {
      try {
        await this.bringUp(cell);
      } catch (error) {
        if (!this.#rounds.stopping)
          this.logger.error('logs could not be checkpointed; it is repeated', error, { cell: cell.name });
      }
    }
  }

  async #once(cell: Cell): Promise<boolean | undefined> {
    const signers = await this.keys.signers();
    const objects = this.objects.of(cell.name);
    const client = await cell.audit.connect();
    let broken: Error | undefined;
    let round: boolean | undefined;
    try {
      await client.query('BEGIN');
      const more = await checkpointRound({ client, objects, signers, origin: this.keys.name });
      await client.query('COMMIT');
      round = more;
    } catch (error) {
      await client.query('ROLLBACK').catch((failure: Error) => (broken = failure));
      throw error;
    } finally {
      client.release(broken);
    }
    if (round !== undefined) await this.#store(cell);
    return round;
  }

  /** Puts rounds into the object store: the checkpoint of the log of checkpoints, with the leaf hashes that came since the one before. */
  async #store(cell: Cell): Promise<void> {
    const waiting = await cell.audit.query<{ size: string; note: string; before: string | null }>(
      `SELECT c.size, c.note, (SELECT max(b.size) FROM audit.checkpoints b WHERE b.log = c.log AND b.size < c.size) AS before
       FROM audit.checkpoints c WHERE NOT c.stored ORDER BY c.size LIMIT 100`,
    );
    for (const { size, note, before } of waiting.rows) {
      const { rows } = await cell.audit.query<{ leaf_hash: Buffer }>(
        'SELECT leaf_hash FROM audit.roots WHERE seq > $1 AND seq <= $2 ORDER BY seq',
        [before ?? 0, size],
      );
      const body = { checkpoint: note, covers: rows.map((row) => row.leaf_hash.toString('base64')) };
      const key = objectKey(ROOT_LOG, `checkpoint/${size.padStart(15, '0')}`);
      await this.objects.of(cell.name).put(key, Buffer.from(JSON.stringify(body)));
      await cell.audit.query('UPDATE audit.checkpoints SET stored = true WHERE log = $1 AND size = $2', [
        ROOT_LOG,
        size,
      ]);
    }
  }
}
