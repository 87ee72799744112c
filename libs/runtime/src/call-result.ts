import { MODEL_ERROR_CODES, type ModelErrorCode } from './model-call-error.js';
import type { ModelAnswer } from './model-call.js';
import { isRecord } from './protocol.js';

/** How a call of an agent ended; this is what a checkpoint holds. A failure is kept too, so that a replay fails alike. */
export type CallResult =
  ModelAnswer | { readonly error: { readonly code: ModelErrorCode; readonly message: string } };

/** Rebuilds a call's result from what was stored. Throws when it is not one: then the store is damaged. */
export function parseCallResult(value: unknown): CallResult {
  const { text, usage, error } = isRecord(value) ? value : {};
  if (typeof text === 'string' && isRecord(usage)) {
    const { inputTokens, outputTokens } = usage;
    if (isCount(inputTokens) && isCount(outputTokens)) return { text, usage: { inputTokens, outputTokens } };
  }
  if (isRecord(error)) {
    const { message } = error;
    const code = MODEL_ERROR_CODES.find((known) => known === error['code']);
    if (code !== undefined && typeof message === 'string') return { error: { code, message } };
  }
  throw new Error('the result of a model call is damaged');
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
