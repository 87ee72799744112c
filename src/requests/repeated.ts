import { setTimeout as pause } from 'node:timers/promises';
import { currentRequest, type RequestContext } from '../platform/http/request-context.js';

/** Deadlock, and a serialization failure: the transaction is taken back as a whole, and may well succeed now. */
const TAKEN_BACK: ReadonlySet<unknown> = new Set(['40P01', '40001']);
const ATTEMPTS = 3;
/** Two that were in each other's way do not come back at the same moment. */
const PAUSE_MS = 50;

/** Does a transaction again that another one was in the way of: a revocation is not undone because of it. Twice at most. */
export async function repeated<T>(transaction: () => Promise<T>): Promise<T> {
  const request = currentRequest();
  const before = { ...request?.audit };
  for (let attempt = 1; ; attempt += 1)
    try {
      return await transaction();
    } catch (error) {
      if (attempt === ATTEMPTS || !TAKEN_BACK.has(codeOf(error))) throw error;
      if (request) forget(request, before);
      await pause(Math.random() * PAUSE_MS * attempt);
    }
}

/** What the attempt would have told of itself. */
function forget({ audit }: RequestContext, before: RequestContext['audit']): void {
  for (const name of Object.keys(audit)) Reflect.deleteProperty(audit, name);
  Object.assign(audit, before);
}

/** TypeORM wraps what the driver says. */
function codeOf(error: unknown): unknown {
  const { code, driverError } = error as { code?: unknown; driverError?: { code?: unknown } };
  return driverError?.code ?? code;
}
