/** `ENDPOINT_FORBIDDEN`: we do not talk to that. `RESPONSE_TOO_LARGE`: it said more than we read. */
export type EgressErrorCode = 'ENDPOINT_FORBIDDEN' | 'RESPONSE_TOO_LARGE';

/**
 * A request was refused by us, not by the other side. `message` may be shown to a tenant: it names what the tenant
 * wrote, never what a name resolved to, as that would let anybody ask about names of our internal network.
 */
export class EgressError extends Error {
  override readonly name = 'EgressError';

  constructor(
    readonly code: EgressErrorCode,
    message: string,
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
  }
}

/** Finds the first error of a class among `error` and its causes, which HTTP clients wrap several times. */
export function findCause<T extends Error>(
  error: unknown,
  type: abstract new (...args: never[]) => T,
  depth = 8,
): T | undefined {
  if (error instanceof type) return error;
  if (!(error instanceof Error) || depth === 0) return undefined;
  const inner =
    error instanceof AggregateError ? [error.cause, ...(error.errors as unknown[])] : [error.cause];
  return inner.map((cause) => findCause(cause, type, depth - 1)).find((found) => found !== undefined);
}
