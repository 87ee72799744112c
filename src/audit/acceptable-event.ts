import { z } from 'zod';
import { parseEvent, searchColumns, type EventBody, type SearchColumns } from './audit-event.js';

/** As of `CanonicalScan`; readers that go through a value are nowhere near their stack's end. */
const DEEPEST = 32;

const text = z.string();
const named = z.strictObject({ type: text, id: text });
/** `EventBody`, member for member: what reads a log takes it as that, without looking again. */
const EVENT = z.strictObject({
  v: z.literal(1),
  id: text,
  at: text,
  tenant: text,
  region: text,
  action: text,
  actor: z.strictObject({
    type: text,
    id: text,
    userId: text.optional(),
    sessionId: text.optional(),
    onBehalfOf: text.optional(),
  }),
  outcome: z.enum(['success', 'denied', 'failure']),
  resource: named.optional(),
  changes: z.custom<Record<string, unknown>>(isObject).optional(),
  request: z.strictObject({ id: text, method: text, path: text }).optional(),
  reason: text.optional(),
  policies: z.array(text).optional(),
  decision: z.strictObject({ id: text.optional(), permission: text, resource: named.optional() }).optional(),
  client: z.strictObject({ id: text, sealed: text }).optional(),
  sealed: text.optional(),
});

export interface AcceptableEvent {
  readonly body: EventBody;
  readonly search: SearchColumns;
}

/**
 * An event as somebody who may write SQL has put it into the outbox; undefined unless it is one in every member, and in
 * the very bytes in which such an event is written: one reader's first `id` is not another one's last.
 */
export function acceptableEvent(bytes: Buffer, tenant: string): AcceptableEvent | undefined {
  const search = searchColumns(bytes, tenant);
  if (!search) return undefined;
  const body = parseEvent(bytes);
  const known = isNested(body, DEEPEST) && EVENT.safeParse(body).success;
  return known && JSON.stringify(body) === bytes.toString('utf8') ? { body, search } : undefined;
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether nothing of a value is deeper in it than this. */
function isNested(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return depth > 0 && Object.values(value).every((each) => isNested(each, depth - 1));
}
