import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { EventBody } from './audit-event.js';

/** What events are asked for by; what is absent is not asked for. */
export interface EventFilter {
  readonly requestId?: string | undefined;
  readonly resourceId?: string | undefined;
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  readonly resourceType?: string | undefined;
  readonly outcome?: string | undefined;
}

export type TermKind = keyof EventFilter;

/** A value of an event as the index knows it: 40 bits of a hash. Two values may share them; events are looked at in the end. */
export interface Term {
  /** One of 256: a byte. */
  readonly bucket: number;
  /** 32 bits, unsigned. */
  readonly fingerprint: number;
}

/** As a rule, the first are in the fewest events. */
const KINDS = [
  'requestId',
  'resourceId',
  'actor',
  'action',
  'resourceType',
  'outcome',
] as const satisfies readonly TermKind[];
/** Few actors and actions are behind most events. */
const terms = new LRUCache<string, Term>({ max: 10_000 });

/** What of an event can be searched for. The bytes of an event may have come from a tenant's own SQL: other types are none. */
export function searchValues({ actor, action, outcome, resource, request }: EventBody): EventFilter {
  return {
    requestId: text(request?.id),
    resourceId: text(resource?.id),
    actor: text(actor.id),
    action: text(action),
    resourceType: text(resource?.type),
    outcome: text(outcome),
  };
}

export function matches(body: EventBody, filter: EventFilter): boolean {
  const values = searchValues(body);
  return KINDS.every((kind) => filter[kind] === undefined || filter[kind] === values[kind]);
}

/** Those that are there, the ones that are in the fewest events first. */
export function termsOf(values: EventFilter): Term[] {
  return KINDS.flatMap((kind) => {
    const value = values[kind];
    return value === undefined ? [] : [termOf(kind, value)];
  });
}

function termOf(kind: TermKind, value: string): Term {
  // A request has an event or two: remembering it would push out what comes again.
  if (kind === 'requestId') return hashed(kind, value);
  const key = `${kind} ${value}`;
  const known = terms.get(key);
  if (known) return known;
  const term = hashed(kind, value);
  terms.set(key, term);
  return term;
}

function hashed(kind: TermKind, value: string): Term {
  const digest = hash('sha256', `${kind} ${value}`, 'buffer');
  return { bucket: digest.readUInt8(0), fingerprint: digest.readUInt32BE(1) };
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
