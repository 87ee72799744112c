import { hash } from 'node:crypto';
import { EXPIRED } from '@waxell/transparency';
import { acceptableEvent } from './acceptable-event.js';
import { appended, type Appended } from './append-group.js';
import { canonicalEvent, newEventId, type EventBody } from './audit-event.js';

const SEQUENCER = { type: 'system', id: 'sequencer' } as const;
/** What a log says of itself is appended, and never left in the outbox: nobody who reads it need ask who has. */
const OWN_ACTIONS: ReadonlySet<string> = new Set([EXPIRED, 'audit.event_rejected']);
/** By how much an event's time may be ahead of the database's clock, whatever the process's clock says. */
const AHEAD_MS = 5 * 60_000;
/** And behind it: no outbox lies for longer, unless nothing has run for longer. */
const BEHIND_MS = 31 * 86_400_000;

interface Owner {
  readonly id: string;
  readonly region: string;
}

/**
 * What is appended of an entry of the outbox. A tenant's role can put any bytes there: what is no event must neither stop
 * the log nor vanish; one of another time is told of as a whole, so that a clock that is wrong costs nothing but its place.
 *
 * @param now the database's clock, in milliseconds since 1970
 */
export function outboxEvent(tenant: Owner, bytes: Buffer, now: number): Appended {
  const found = acceptableEvent(bytes, tenant.id);
  if (!found || OWN_ACTIONS.has(found.search.action)) return rejection(tenant, bytes);
  const ahead = Date.parse(found.search.at) - now;
  if (ahead > AHEAD_MS || ahead < -BEHIND_MS) return rejection(tenant, bytes, found.body);
  return { tenant: tenant.id, bytes, search: found.search };
}

function rejection(tenant: Owner, bytes: Buffer, event?: EventBody): Appended {
  const sha256 = hash('sha256', bytes, 'hex');
  const changes = { rejectedBytes: bytes.length, sha256, ...(event && { event }) };
  const rejected = { action: 'audit.event_rejected', actor: SEQUENCER, outcome: 'failure', changes } as const;
  return appended(tenant.id, canonicalEvent(newEventId(), tenant, rejected, undefined).bytes);
}
