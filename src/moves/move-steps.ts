import { Injectable, type OnModuleInit } from '@nestjs/common';
import { EventRecorder, MoveLog } from '../audit/index.js';
import { MoveKeys } from '../encryption/index.js';
import { OperationFailed, OperationRunner, type Operation, type StepResult } from '../operations/index.js';
import { RegionConfig } from '../platform/config/index.js';
import { Cells, Provisioning } from '../platform/database/index.js';
import {
  copyTable,
  reconcile,
  requireSameMigrations,
  withMoveSessions,
  type MoveSessions,
} from '../platform/database/moving/index.js';
import { MoveObjects } from '../platform/objects/index.js';
import { Log } from '../platform/observability/log.js';
import { ClearCell } from './clear-cell.js';
import { comparedTables } from './compared-tables.js';
import { CutOver } from './cut-over.js';
import { moveEvent, MoveRegistry } from './move-registry.js';
import { MOVE, moveOf, type Move, type MoveData } from './move.js';

/** A step that fails this often is given up, and the move undone. */
const TRIES = 5;
/** After so long the step is noted and begun anew: what was copied is not copied again after a crash. */
const NOTE_AFTER_MS = 2_000;
/** Copying what has changed is repeated while that takes longer: what is left for the pause shrinks with it. */
const QUICK_ROUND_MS = 3_000;
const MAX_ROUNDS = 5;
const LEFT_TO_OTHERS_SECONDS = 2;
const CANCELLED = 'It was cancelled.';

type MoveStep = (move: Move, signal: AbortSignal, operation: Operation) => Promise<StepResult>;

/** The steps of a move; docs/adr/0013 says why they are these. */
@Injectable()
export class MoveSteps implements OnModuleInit {
  constructor(
    private readonly runner: OperationRunner,
    private readonly cells: Cells,
    private readonly provisioning: Provisioning,
    private readonly registry: MoveRegistry,
    private readonly cutOver: CutOver,
    private readonly clearCell: ClearCell,
    private readonly keys: MoveKeys,
    private readonly log: MoveLog,
    private readonly objects: MoveObjects,
    private readonly events: EventRecorder,
    private readonly messages: Log,
    private readonly regions: RegionConfig,
  ) {}

  onModuleInit(): void {
    const forward = (step: MoveStep) => this.#unlessLeft(step);
    this.runner.register(MOVE, {
      prepare: forward((move) => this.#prepare(move)),
      copy: forward((move, signal) => this.#copy(move, signal)),
      'catch-up': forward((move, signal) => this.#catchUp(move, signal)),
      'cut-over': forward((move, signal) => this.#cutOver(move, signal)),
      tell: this.#whereServed((move) => this.#tell(move)),
      clean: this.#whereServed((move) => this.#clean(move)),
      undo: this.#whereServed((move) => this.#undo(move)),
    });
  }

  /** Before the cut-over a move can be left: by whoever cancels it, or because a step fails again and again. */
  #unlessLeft(step: MoveStep) {
    return this.#whereServed(async (move, signal, operation) => {
      if (await this.registry.isCutOver(move)) return next(move, 'tell', {});
      const state = await this.registry.state(move);
      if (state === 'over') throw new OperationFailed('The organisation is not being moved any more.');
      if (state === 'cancelled') return next(move, 'undo', { reason: CANCELLED });
      if (operation.attempts > TRIES) {
        const reason = operation.error ?? 'The processes that worked on it died.';
        return next(move, 'undo', { reason });
      }
      return step(move, signal, operation);
    });
  }

  /** What a move carries passes through the process that works on it: one of neither region leaves it to others. */
  #whereServed(step: MoveStep) {
    return (operation: Operation, signal: AbortSignal): Promise<StepResult> => {
      const move = moveOf(operation, this.cells);
      const served = [move.source, move.target].some(({ region }) => this.regions.serves(region));
      return served ? step(move, signal, operation) : Promise.resolve({ again: LEFT_TO_OTHERS_SECONDS });
    };
  }

  /** An empty place at the target: role and schema at the present migrations, and a key. */
  async #prepare(move: Move): Promise<StepResult> {
    await this.clearCell.execute(move.target);
    await this.provisioning.createTenant(move.target);
    const kmsKey = await this.keys.newKey(move.target.id, move.target.cell);
    return next(move, 'copy', { kmsKey });
  }

  /** Copies while the tenant reads and writes; what changes meanwhile is for the steps that follow. */
  async #copy(move: Move, signal: AbortSignal): Promise<StepResult> {
    const { data, source } = move;
    const tables = { ...data.progress.tables };
    return this.#withSessions(move, signal, async (sessions) => {
      await requireSameMigrations(sessions, source.id);
      const noteAt = Date.now() + NOTE_AFTER_MS;
      for (const table of await comparedTables(sessions, source.id)) {
        if (table.name in tables) continue;
        if (Date.now() > noteAt) return again(move, { progress: { ...data.progress, tables } });
        tables[table.name] = await copyTable(sessions, table);
      }
      const { events, complete } = await this.log.copy(sessions, source.id);
      const progress = { ...data.progress, tables, events };
      return complete ? next(move, 'catch-up', { progress }) : again(move, { progress });
    });
  }

  /** Copies what has changed since, still without a pause. */
  async #catchUp(move: Move, signal: AbortSignal): Promise<StepResult> {
    const { data, source, target } = move;
    const begun = Date.now();
    return this.#withSessions(move, signal, async (sessions) => {
      const tables = await reconcile(sessions, await comparedTables(sessions, source.id));
      const route = { tenant: source.id, from: source.cell, to: target.cell, kmsKey: data.kmsKey ?? '' };
      await this.keys.rewrap(sessions, route);
      const { events, complete } = await this.log.copy(sessions, source.id);
      const objects = await this.objects.copy(source, target, signal);
      const rounds = data.progress.rounds + 1;
      const progress = { tables, events, objects, rounds };
      const near = complete && Date.now() - begun < QUICK_ROUND_MS;
      return near || rounds >= MAX_ROUNDS ? next(move, 'cut-over', { progress }) : again(move, { progress });
    });
  }

  async #cutOver(move: Move, signal: AbortSignal): Promise<StepResult> {
    const progress = await this.cutOver.execute(move, signal);
    this.messages.log(`Moved ${move.source.id} from ${move.source.cell} to ${move.target.cell}.`);
    return next(move, 'tell', { progress });
  }

  /** The organisation's own log tells of the move: once or, after a crash at this very place, twice. */
  async #tell(move: Move): Promise<StepResult> {
    await this.events.record(move.target, moveEvent('tenant.moved', move));
    return next(move, 'clean', {}, move.data.keepSeconds);
  }

  /** Only forward: the tenant lives in the target. */
  async #clean(move: Move): Promise<StepResult> {
    await this.clearCell.execute(move.source);
    return 'done';
  }

  /** Nothing has happened, as far as the tenant can tell. */
  async #undo(move: Move): Promise<StepResult> {
    const { data, target } = move;
    await this.cutOver.giveBack(move);
    await this.clearCell.execute(target, data.kmsKey === undefined ? [] : [data.kmsKey]);
    const reason = data.reason ?? 'It could not be made.';
    await this.registry.abandon(move, reason === CANCELLED ? 'CANCELLED' : 'FAILED');
    throw new OperationFailed(reason);
  }

  #withSessions(
    { source, target }: Move,
    signal: AbortSignal,
    work: (sessions: MoveSessions) => Promise<StepResult>,
  ): Promise<StepResult> {
    const cells = { source: this.cells.of(source.cell), target: this.cells.of(target.cell) };
    return withMoveSessions(cells, source.id, signal, work);
  }
}

function next({ data }: Move, step: string, changes: Partial<MoveData>, afterSeconds = 0): StepResult {
  return { next: step, data: { ...data, ...changes }, afterSeconds };
}

function again({ data }: Move, changes: Partial<MoveData>): StepResult {
  return { again: 0, data: { ...data, ...changes } };
}
