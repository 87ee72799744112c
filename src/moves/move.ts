import type { Operation, OperationData } from '../operations/index.js';
import type { Cells, TenantRef } from '../platform/database/index.js';

export const MOVE = 'tenant.move';

/** What a move keeps between its steps. */
export interface MoveData extends OperationData {
  readonly from: string;
  readonly to: string;
  /** How long writes may be paused at most, in seconds; then they are given back, and it is tried again. */
  readonly pauseSeconds: number;
  /** How long the source keeps its copy after the cut-over, in seconds. */
  readonly keepSeconds: number;
  /** The tenant's key in the target's KMS. */
  readonly kmsKey?: string;
  readonly progress: MoveProgress;
  /** Why it is being undone. */
  readonly reason?: string;
}

/** Counts, for whoever watches. */
export interface MoveProgress {
  /** Rows of each table that was copied. */
  readonly tables: Readonly<Record<string, number>>;
  readonly events: number;
  readonly objects: number;
  readonly rounds: number;
  /** For how long writes were refused, in milliseconds, and at its end reads as well. */
  readonly writesPausedMs?: number;
  readonly readsPausedMs?: number;
}

/** A move as its steps see it. */
export interface Move {
  readonly id: string;
  readonly data: MoveData;
  readonly source: TenantRef;
  readonly target: TenantRef;
}

export const NO_PROGRESS: MoveProgress = { tables: {}, events: 0, objects: 0, rounds: 0 };

/** @throws when a cell of the move is not configured in this process */
export function moveOf({ id, tenant, data }: Operation, cells: Cells): Move {
  const move = data as MoveData;
  const [from, to] = [cells.of(move.from), cells.of(move.to)];
  return { id, data: move, source: from.tenant(tenant), target: to.tenant(tenant) };
}
