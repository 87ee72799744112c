import type { Baseline, Memory } from '../memory.js';
import type { Match, ObservedEvent } from '../observed-event.js';
import type { RuleSettings } from '../rule-catalogue.js';

/** Fewer calls in an hour than this are nobody's concern, however unusual. */
const LEAST_CALLS = 200;
/** Hours with calls after which it is known what is usual. */
const KNOWN_AFTER_HOURS = 10;
const KNOWN_AFTER_SECONDS = 3 * 86_400;
const KNOWN_AFTER_EVENTS = 100;

/** An actor makes many times the calls that it makes in other hours. */
export function unusualRate(
  { body }: ObservedEvent,
  { mean, hours, count }: Baseline,
  { threshold }: RuleSettings,
): Match | undefined {
  const limit = Math.max(LEAST_CALLS, threshold * mean);
  if (hours < KNOWN_AFTER_HOURS || count < limit) return undefined;
  return {
    key: body.actor.id,
    title: 'An actor makes many more calls than it usually does',
    details: { actor: body.actor, calls: count, usual: Math.round(mean * 10) / 10 },
  };
}

/** An actor that is known well does several things that it has never done. */
export function unusualActions(
  { body, at }: ObservedEvent,
  { baseline, first }: { readonly baseline: Baseline; readonly first: boolean },
  memory: Memory,
  { threshold, windowSeconds }: RuleSettings,
): Match | undefined {
  const known = at - baseline.since >= KNOWN_AFTER_SECONDS && baseline.events >= KNOWN_AFTER_EVENTS;
  if (!first || !known) return undefined;
  const actor = body.actor.id;
  const kinds = memory.count(`unusual.actions ${actor}`, at, windowSeconds);
  if (kinds < threshold) return undefined;
  return {
    key: actor,
    title: 'An actor does things that it has never done before',
    details: { actor: body.actor, kinds, last: body.action, windowSeconds },
  };
}
