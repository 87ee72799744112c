import type { Memory } from '../memory.js';
import type { Match, ObservedEvent } from '../observed-event.js';
import type { RuleSettings } from '../rule-catalogue.js';

const REMOVALS = new Set(['scim_user.deactivated', 'scim_user.deleted', 'signal.person_disabled']);

/** A directory, or a transmitter of security events, takes away many people: each loses access at once, and somebody is told that it may be a mistake. */
export function massRemoval(
  { body, at }: ObservedEvent,
  memory: Memory,
  { threshold, windowSeconds }: RuleSettings,
): Match | undefined {
  if (!REMOVALS.has(body.action) || body.outcome !== 'success') return undefined;
  const directory = body.actor.id;
  const removed = memory.count(`provisioning.removed ${directory}`, at, windowSeconds);
  if (removed < threshold) return undefined;
  return {
    key: directory,
    title: 'A directory takes away many people',
    details: { directory, removed, windowSeconds },
  };
}
