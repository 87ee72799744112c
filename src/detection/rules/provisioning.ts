import type { EventBody } from '../../audit/index.js';
import type { Memory } from '../memory.js';
import type { Match, ObservedEvent } from '../observed-event.js';
import type { RuleSettings } from '../rule-catalogue.js';

const REMOVALS = new Set(['scim_user.deactivated', 'scim_user.deleted', 'signal.person_disabled']);

/**
 * A directory, or a transmitter of security events, takes away many people, or the roles of many by their groups: each loses
 * it at once, and somebody is told that it may be a mistake.
 */
export function massRemoval(
  { body, at }: ObservedEvent,
  memory: Memory,
  { threshold, windowSeconds }: RuleSettings,
): Match | undefined {
  const more = body.outcome === 'success' ? removedBy(body) : 0;
  if (more === 0) return undefined;
  const directory = body.actor.id;
  const removed = memory.count(`provisioning.removed ${directory}`, at, windowSeconds, more);
  if (removed < threshold) return undefined;
  return {
    key: directory,
    title: 'A directory takes away many people, or their roles',
    details: { directory, removed, windowSeconds },
  };
}

function removedBy({ action, changes }: EventBody): number {
  if (REMOVALS.has(action)) return 1;
  const ofGroup = action === 'scim_group.updated' || action === 'scim_group.deleted';
  return ofGroup ? numberIn(changes?.['lostRoles']) : 0;
}

function numberIn(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : 0;
}
