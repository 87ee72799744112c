import type { Baseline, Observed } from '../baseline.js';
import type { Memory } from '../memory.js';
import type { Match, ObservedEvent } from '../observed-event.js';
import type { RuleSettings } from '../rule-catalogue.js';

/** Fewer calls in an hour than this are nobody's concern, however unusual. */
const LEAST_CALLS = 200;
const LEAST_CALLS_OF_ALL = 1_000;
/** Hours with calls after which it is known what is usual. */
const KNOWN_AFTER_HOURS = 10;
const KNOWN_AFTER_SECONDS = 3 * 86_400;
const KNOWN_AFTER_EVENTS = 100;

/** An actor makes many times the calls that it makes in other hours. */
export function unusualRate(
  { body }: ObservedEvent,
  seen: Observed,
  settings: RuleSettings,
): Match | undefined {
  const rate = rateBeyond(seen, LEAST_CALLS, settings);
  return (
    rate && {
      key: body.actor.id,
      title: 'An actor makes many more calls than it usually does',
      details: { actor: body.actor, ...rate },
    }
  );
}

/** The organisation makes many times its calls: many who are each no more than busy, or who were not there before. */
export function unusualRateOfAll(
  { body }: ObservedEvent,
  seen: Observed,
  settings: RuleSettings,
): Match | undefined {
  const rate = rateBeyond(seen, LEAST_CALLS_OF_ALL, settings);
  return (
    rate && {
      key: 'all',
      title: 'The organisation makes many more calls than it usually does',
      details: { ...rate, lastActor: body.actor },
    }
  );
}

function rateBeyond(
  { baseline: { mean, hours, count } }: Observed,
  least: number,
  { threshold }: RuleSettings,
): { readonly calls: number; readonly usual: number } | undefined {
  if (hours < KNOWN_AFTER_HOURS || count < Math.max(least, threshold * mean)) return undefined;
  return { calls: count, usual: Math.round(mean * 10) / 10 };
}

/** An actor that is known well does several things that it has never done. */
export function unusualActions(
  { body, at }: ObservedEvent,
  seen: Observed,
  memory: Memory,
  { threshold, windowSeconds }: RuleSettings,
): Match | undefined {
  if (!seen.first || !isKnown(seen.baseline, at)) return undefined;
  const actor = body.actor.id;
  const kinds = memory.count(`unusual.actions ${actor}`, at, windowSeconds);
  if (kinds < threshold) return undefined;
  return {
    key: actor,
    title: 'An actor does things that it has never done before',
    details: { actor: body.actor, kinds, last: body.action, windowSeconds },
  };
}

/** Several things are done that nobody in the organisation has ever done, by whomever. */
export function unusualActionsOfAll(
  { body, at }: ObservedEvent,
  seen: Observed,
  memory: Memory,
  { threshold, windowSeconds }: RuleSettings,
): Match | undefined {
  if (!seen.first || !isKnown(seen.baseline, at)) return undefined;
  const kinds = memory.count('unusual.organisation_actions', at, windowSeconds);
  if (kinds < threshold) return undefined;
  return {
    key: 'all',
    title: 'Things are done that nobody in the organisation has done before',
    details: { kinds, last: body.action, lastActor: body.actor, windowSeconds },
  };
}

/** People sign in from several networks from which nobody of the organisation has for a month. */
export function unusualNetworks(
  { at }: ObservedEvent,
  memory: Memory,
  { threshold, windowSeconds }: RuleSettings,
): Match | undefined {
  const { organisation } = memory;
  if (!organisation || !isKnown(organisation, at)) return undefined;
  const networks = memory.count('unusual.organisation_networks', at, windowSeconds);
  if (networks < threshold) return undefined;
  return {
    key: 'all',
    title: 'People sign in from networks from which nobody in the organisation has before',
    details: { networks, windowSeconds },
  };
}

/** Whether enough has been seen, for long enough, that something new is news. */
function isKnown(baseline: Baseline, at: number): boolean {
  return at - baseline.since >= KNOWN_AFTER_SECONDS && baseline.events >= KNOWN_AFTER_EVENTS;
}
