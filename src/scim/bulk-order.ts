import type { AppError } from '../platform/http/errors.js';
import { methodIn, readOperation, referencesOf, type BulkOperation } from './bulk-request.js';
import { isFields, type Json } from './protocol/evaluate-filter.js';
import { ScimError } from './protocol/scim.errors.js';

/** An operation under way: as it was read, or why it could not be. */
export interface Entry {
  readonly at: number;
  readonly operation?: BulkOperation;
  readonly wrong?: AppError;
  /** Of what could not be read, what its answer is told apart by. */
  readonly said?: Partial<BulkOperation>;
}

export function entryOf(given: Json, at: number): Entry {
  try {
    return { at, operation: readOperation(given) };
  } catch (error) {
    if (error instanceof ScimError) return { at, wrong: error, said: saidIn(given) };
    throw error;
  }
}

function saidIn(given: Json): Partial<BulkOperation> {
  if (!isFields(given)) return {};
  const { bulkId } = given;
  const method = methodIn(given);
  return { ...(method && { method }), ...(typeof bulkId === 'string' && { bulkId }) };
}

/** Those that are referred to first, otherwise as they came; what cannot be brought into an order is marked as wrong. */
export function ordered(entries: readonly Entry[]): Entry[] {
  const byBulkId = new Map(
    entries.flatMap((entry) =>
      entry.operation?.method === 'POST' ? [[entry.operation.bulkId ?? '', entry] as const] : [],
    ),
  );
  const done = new Map<Entry, Entry>();
  const visiting = new Set<Entry>();
  const visit = (entry: Entry): boolean => {
    if (done.has(entry)) return done.get(entry)?.wrong === undefined;
    if (visiting.has(entry)) return false;
    visiting.add(entry);
    const needs = entry.operation ? referencesOf(entry.operation) : [];
    const unknown = needs.find((name) => !byBulkId.has(name));
    const whole = needs.every((name) => {
      const needed = byBulkId.get(name);
      return needed !== undefined && visit(needed);
    });
    visiting.delete(entry);
    done.set(entry, whole ? entry : { ...entry, wrong: entry.wrong ?? unresolved(unknown) });
    return whole;
  };
  for (const entry of entries) visit(entry);
  return [...done.values()];
}

function unresolved(unknown: string | undefined): ScimError {
  return unknown === undefined
    ? new ScimError(
        'uniqueness',
        'It refers to operations that refer to it in turn, or to one that cannot be done.',
      )
    : new ScimError('invalidValue', `No operation that adds something has the bulkId "${unknown}".`);
}

/** What was added in a dry run, with all that it needs, each after what it needs itself. */
export interface Tried {
  readonly operation: BulkOperation;
  readonly needs: readonly BulkOperation[];
}

/** What an operation needs of what was tried before it, directly or through others. */
export function needsOf(
  operation: BulkOperation,
  tried: ReadonlyMap<string, Tried>,
): readonly BulkOperation[] {
  const found = new Set<BulkOperation>();
  for (const name of referencesOf(operation)) {
    const direct = tried.get(name);
    for (const one of direct?.needs ?? []) found.add(one);
    if (direct) found.add(direct.operation);
  }
  return [...found];
}
