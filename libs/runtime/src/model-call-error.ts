import type { RunError } from '@waxell/sdk';

/** The codes with which a model call can fail. */
export const MODEL_ERROR_CODES = [
  'MODEL_UNAVAILABLE',
  'MODEL_REFUSED',
  'MODEL_STREAM_CUT',
  'MODEL_TIMEOUT',
  'ENDPOINT_FORBIDDEN',
] as const satisfies readonly RunError['code'][];

export type ModelErrorCode = (typeof MODEL_ERROR_CODES)[number];

/**
 * A model call failed. `message` is shown to the tenant, so it never holds what a provider's client reported: that may
 * contain request headers, and with them a key. The original belongs in `cause`, which goes to logs only.
 */
export class ModelCallError extends Error {
  override readonly name = 'ModelCallError';

  constructor(
    readonly code: ModelErrorCode,
    message: string,
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
  }
}
