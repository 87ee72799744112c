import { catalogued } from '../../platform/events/index.js';
import type { Memory } from '../memory.js';
import type { Match, ObservedEvent } from '../observed-event.js';
import type { RuleSettings } from '../rule-catalogue.js';

const EXPORTS = new Set(['organisation.exported', 'audit.exported', 'audit_export.read', 'tenant.exported']);

/** Reading of API Activity, as the catalogue has it: of data, and of what administrators and directories read. */
const READ = 2;

function isRead({ body: { action, outcome } }: ObservedEvent): boolean {
  const entry = catalogued(action);
  if (outcome !== 'success' || !entry) return false;
  return entry.category === 'data_access' || (entry.ocsf.classUid === 6003 && entry.ocsf.activityId === READ);
}

/** Somebody reads more often than people read. */
export function bulkReads(
  event: ObservedEvent,
  memory: Memory,
  { threshold, windowSeconds }: RuleSettings,
): Match | undefined {
  if (!isRead(event)) return undefined;
  const { body, at } = event;
  const actor = body.actor.id;
  const reads = memory.count(`exfiltration.reads ${actor}`, at, windowSeconds);
  if (reads < threshold) return undefined;
  return {
    key: actor,
    title: 'An actor reads in bulk',
    details: { actor: body.actor, reads, windowSeconds },
  };
}

/** Somebody reads more than people read: a list is as many as it answers, whatever else is one. */
export function bulkRows(
  event: ObservedEvent,
  memory: Memory,
  { threshold, windowSeconds }: RuleSettings,
): Match | undefined {
  if (!isRead(event)) return undefined;
  const { body, at } = event;
  const listed = body.changes?.['rows'];
  const more = typeof listed === 'number' && Number.isSafeInteger(listed) && listed >= 0 ? listed : 1;
  const actor = body.actor.id;
  const rows = memory.count(`exfiltration.rows ${actor}`, at, windowSeconds, more);
  if (rows < threshold) return undefined;
  return {
    key: actor,
    title: 'An actor reads a great deal',
    details: { actor: body.actor, rows, windowSeconds },
  };
}

/** Somebody has taken the log, or all of the organisation. */
export function exports(
  { body, at }: ObservedEvent,
  memory: Memory,
  { threshold, windowSeconds }: RuleSettings,
): Match | undefined {
  if (!EXPORTS.has(body.action) || body.outcome !== 'success') return undefined;
  const actor = body.actor.id;
  const taken = memory.count(`exfiltration.exports ${actor}`, at, windowSeconds);
  if (taken < threshold) return undefined;
  return {
    key: actor,
    title: 'An export was taken',
    details: { actor: body.actor, action: body.action, taken },
  };
}
