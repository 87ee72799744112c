import { z } from 'zod';

export const RUN_STATUSES = ['PENDING', 'RUNNING', 'PAUSED', 'COMPLETED', 'FAILED', 'CANCELLED'] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

/** Statuses that a run never leaves. */
export const TERMINAL_RUN_STATUSES: ReadonlySet<RunStatus> = new Set(['COMPLETED', 'FAILED', 'CANCELLED']);

/** Tokens as the model provider counted them. */
export const usage = z.strictObject({
  inputTokens: z.int().min(0),
  outputTokens: z.int().min(0),
  modelCalls: z.int().min(0),
});
export type Usage = z.infer<typeof usage>;

/** Why a run failed: a stable code and a sentence for the person who reads it. */
export interface RunError {
  readonly code:
    | 'MODEL_UNAVAILABLE'
    | 'MODEL_REFUSED'
    | 'MODEL_STREAM_CUT'
    | 'MODEL_TIMEOUT'
    | 'ENDPOINT_FORBIDDEN'
    | 'LIMIT_EXCEEDED'
    | 'RUN_TIMEOUT'
    | 'SANDBOX_FAILED'
    | 'INTERNAL';
  readonly message: string;
}

/** One thing that happened in a run, in order. `seq` starts at 1 and has no gaps. */
export type RunEvent = { readonly seq: number; readonly at: string } & RunEventBody;

export type RunEventBody =
  | { readonly type: 'run.started'; readonly attempt: number }
  | { readonly type: 'model.started'; readonly call: number; readonly model: string }
  | { readonly type: 'model.delta'; readonly call: number; readonly text: string }
  | { readonly type: 'model.completed'; readonly call: number; readonly usage: Usage }
  | { readonly type: 'run.completed' }
  | { readonly type: 'run.failed'; readonly error: RunError }
  | { readonly type: 'run.cancelled' };
