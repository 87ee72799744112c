import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { MoveLog } from '../audit/index.js';
import { MoveKeys } from '../encryption/index.js';
import { Cells } from '../platform/database/index.js';
import {
  copySequences,
  inOneTransaction,
  pauseWrites,
  reconcileExactly,
  requireSameMigrations,
  resumeWrites,
  stopReads,
  withMoveSession,
  withMoveSessions,
  writersEnded,
  type MoveSessions,
} from '../platform/database/moving/index.js';
import { MoveObjects } from '../platform/objects/index.js';
import { MoveRuns } from '../runs/index.js';
import { comparedTables } from './compared-tables.js';
import { MoveRegistry } from './move-registry.js';
import type { Move, MoveProgress } from './move.js';

/** A transaction that writes takes milliseconds; one that takes this long is not waited for. */
const WRITERS_END_WITHIN_MS = 5_000;

/**
 * The last part of a move, while nobody writes: what is still missing is copied, both sides are compared, and the registry
 * says where the tenant lives. Until that commit everything can be given back, and is when the time is over.
 */
@Injectable()
export class CutOver {
  constructor(
    private readonly cells: Cells,
    private readonly registry: MoveRegistry,
    private readonly keys: MoveKeys,
    private readonly log: MoveLog,
    private readonly runs: MoveRuns,
    private readonly objects: MoveObjects,
  ) {}

  /** @throws when it could not be made; then writes have been given back */
  async execute(move: Move, signal: AbortSignal): Promise<MoveProgress> {
    // What a process that died in the middle has left.
    await this.giveBack(move);
    const limit = AbortSignal.timeout(move.data.pauseSeconds * 1_000);
    const deadline = AbortSignal.any([signal, limit]);
    try {
      return await this.#transfer(move, deadline);
    } catch (error) {
      // An error may also be the lost answer of the commit that made it.
      if (await this.registry.isCutOver(move)) return move.data.progress;
      await this.giveBack(move);
      if (!limit.aborted) throw error;
      throw new Error(`It took longer than the ${move.data.pauseSeconds} s for which writes may be paused.`, {
        cause: error,
      });
    }
  }

  /** Lets the tenant write where it lives. First the registry: after it no cut-over of an earlier pause can follow. */
  async giveBack(move: Move): Promise<void> {
    if (!(await this.registry.endPause(move))) return;
    const { id, cell } = move.source;
    await withMoveSession(this.cells.of(cell), id, (source) =>
      inOneTransaction(source, async () => {
        if (await resumeWrites(source, id)) await this.log.reopen(source, id);
      }),
    );
  }

  async #transfer(move: Move, deadline: AbortSignal): Promise<MoveProgress> {
    const { source, target } = move;
    const cells = { source: this.cells.of(source.cell), target: this.cells.of(target.cell) };
    return withMoveSessions(cells, source.id, deadline, async (sessions) => {
      const pauseId = randomUUID();
      const begun = performance.now();
      await this.registry.pause(move, pauseId);
      await pauseWrites(sessions.source, source.id);
      await writersEnded(sessions.source, source.id, WRITERS_END_WITHIN_MS);
      await untilAborted(this.log.drain(sessions.source, source.cell, source.id), deadline);
      const copied = await this.#copyRest(move, sessions, deadline);
      const closed = performance.now();
      const head = await inOneTransaction(sessions.source, async () => {
        await stopReads(sessions.source, source.id);
        return this.log.close(sessions.source, source.id);
      });
      const events = await this.log.finish(sessions, source, head);
      deadline.throwIfAborted();
      await this.registry.cutOver(move, pauseId);
      const end = performance.now();
      return {
        ...move.data.progress,
        ...copied,
        events,
        writesPausedMs: Math.round(end - begun),
        readsPausedMs: Math.round(end - closed),
      };
    });
  }

  /** Everything that nobody writes to any more; the log goes on, as reads have their events. */
  async #copyRest(
    { data, source, target }: Move,
    sessions: MoveSessions,
    deadline: AbortSignal,
  ): Promise<Pick<MoveProgress, 'tables' | 'objects'>> {
    const { id } = source;
    await requireSameMigrations(sessions, id);
    const tables = await reconcileExactly(sessions, await comparedTables(sessions, id));
    await copySequences(sessions, id);
    const route = { tenant: id, from: source.cell, to: target.cell, kmsKey: data.kmsKey ?? '' };
    tables[MoveKeys.TABLE] = await untilAborted(this.keys.rewrap(sessions, route), deadline);
    const objects = await untilAborted(this.objects.copy(source, target, deadline), deadline);
    await this.runs.copy(sessions, id);
    while (!(await this.log.copy(sessions, id)).complete) deadline.throwIfAborted();
    return { tables, objects };
  }
}

/** Does not wait for what nobody cuts short. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    if (onAbort) signal.removeEventListener('abort', onAbort);
    work.catch(() => undefined);
  }
}
