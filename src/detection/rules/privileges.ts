import { catalogued } from '../../platform/events/index.js';
import type { Memory } from '../memory.js';
import type { Match, ObservedEvent } from '../observed-event.js';
import type { RuleSettings } from '../rule-catalogue.js';

const ADMINISTRATIVE = new Set(['administration', 'api_key']);

/** Somebody tries what only administrators may, again and again. */
export function deniedAdministration(
  { body, at }: ObservedEvent,
  memory: Memory,
  { threshold, windowSeconds }: RuleSettings,
): Match | undefined {
  const category = catalogued(body.action)?.category ?? '';
  if (body.outcome !== 'denied' || body.actor.type === 'anonymous' || !ADMINISTRATIVE.has(category))
    return undefined;
  const actor = body.actor.id;
  const denied = memory.count(`privileges.denied ${actor}`, at, windowSeconds);
  if (denied < threshold) return undefined;
  return {
    key: actor,
    title: 'An actor was denied administrative calls again and again',
    details: { actor: body.actor, denied, lastAction: body.action, windowSeconds },
  };
}

/** Somebody tries to hand out more than they hold: a role, or a key's scopes. */
export function exceededGrant(
  { body, at }: ObservedEvent,
  memory: Memory,
  { threshold, windowSeconds }: RuleSettings,
): Match | undefined {
  if (body.reason !== 'GRANT_EXCEEDS_OWN') return undefined;
  const actor = body.actor.id;
  const tries = memory.count(`privileges.exceeded ${actor}`, at, windowSeconds);
  if (tries < threshold) return undefined;
  return {
    key: actor,
    title: 'An actor has tried to grant more than they hold',
    details: { actor: body.actor, action: body.action },
  };
}
