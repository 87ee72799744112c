import { catalogued } from '../../platform/events/index.js';
import type { Memory } from '../memory.js';
import type { Match, ObservedEvent } from '../observed-event.js';
import type { RuleSettings } from '../rule-catalogue.js';

const EXPORTS = new Set(['organisation.exported', 'audit.exported', 'audit_export.read', 'tenant.exported']);

/** Somebody reads more than people read. */
export function bulkReads(
  { body, at }: ObservedEvent,
  memory: Memory,
  { threshold, windowSeconds }: RuleSettings,
): Match | undefined {
  if (catalogued(body.action)?.category !== 'data_access' || body.outcome !== 'success') return undefined;
  const actor = body.actor.id;
  const reads = memory.count(`exfiltration.reads ${actor}`, at, windowSeconds);
  if (reads < threshold) return undefined;
  return {
    key: actor,
    title: 'An actor reads in bulk',
    details: { actor: body.actor, reads, windowSeconds },
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
