import type { TenantId } from '../platform/database/index.js';

/** What an operation keeps between its steps: small, without secrets and personal data. */
export type OperationData = Readonly<Record<string, unknown>>;

/** A piece of work on a tenant that takes longer than a request and outlives processes. */
export interface Operation {
  readonly id: string;
  readonly kind: string;
  readonly tenant: TenantId;
  readonly step: string;
  readonly data: OperationData;
  readonly status: 'running' | 'done' | 'failed';
  /** Why it failed, or why its present step has to be repeated. */
  readonly error: string | undefined;
  /** How often the present step was begun and did not end. */
  readonly attempts: number;
  /** When its present step is due. */
  readonly dueAt: Date;
  /** Until when a process works on it, unless it says so anew. */
  readonly heldUntil: Date | undefined;
  readonly createdAt: Date;
  readonly finishedAt: Date | undefined;
}

/** What follows a step: another, the same again after some seconds, or nothing. */
export type StepResult =
  | { readonly next: string; readonly data?: OperationData; readonly afterSeconds?: number }
  | { readonly again: number; readonly data?: OperationData }
  | 'done';

/**
 * One step. It may be run again after it had its effect, whenever a process dies before that is noted: write steps so
 * that repeating one is harmless. The signal says that another process has taken the operation over, or that this one
 * stops.
 */
export type Step = (operation: Operation, signal: AbortSignal) => Promise<StepResult>;

/** Thrown by a step that will never succeed: the operation ends as failed, with the message for the operator. */
export class OperationFailed extends Error {
  override readonly name = 'OperationFailed';
}
