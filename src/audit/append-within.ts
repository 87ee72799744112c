import type pg from 'pg';
import { appended, appendGroup, currentPeriod, lockHeads } from './append-group.js';
import { canonicalEvent, newEventId, type AuditEvent } from './audit-event.js';

/**
 * Appends an event to a log in a transaction that somebody else has begun: it is in the log if what it tells of has
 * happened. Answers its number; undefined where the log is not open here.
 */
export async function appendWithin(
  client: pg.Client,
  tenant: { readonly id: string; readonly region: string },
  event: AuditEvent,
): Promise<number | undefined> {
  const heads = await lockHeads(client, [tenant.id]);
  const head = heads.get(tenant.id);
  if (!head) return undefined;
  const { bytes } = canonicalEvent(newEventId(), tenant, event, undefined);
  await appendGroup(client, [appended(tenant.id, bytes)], heads, await currentPeriod(client));
  return head.seq + 1;
}
