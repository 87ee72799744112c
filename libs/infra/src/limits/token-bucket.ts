/** How many requests are admitted: a bucket of `burst` tokens, into which `perSecond` fall. Both above 0. */
export interface Quota {
  /** Buckets of different names have nothing to do with each other, and do not drive each other out of memory. */
  readonly name: string;
  /** Tokens a second; may be a fraction. */
  readonly perSecond: number;
  readonly burst: number;
}

/** What came of asking for a token. */
export interface Taken {
  readonly allowed: boolean;
  /** Whole tokens left, as far as the process knows. */
  readonly remaining: number;
  /** Until the bucket is full again. */
  readonly fullInMs: number;
  /** Until there is a token again; 0 where there is one. */
  readonly waitMs: number;
}

/** Of so many tokens asked for, those granted, and when the bucket will be full again: all that there is to remember. */
export interface Withdrawal {
  readonly granted: number;
  readonly fullAt: number;
}

/** A token that is this close to complete counts as complete: floating-point sums miss whole numbers by less. */
const EPSILON = 1e-6;

/**
 * Takes up to `wanted` tokens. A bucket is one number, the time at which it will be full again (the generic cell rate
 * algorithm, ITU-T I.371, turned round): a full bucket needs no memory at all, and forgetting one is forgiving, never
 * unjust.
 *
 * A clock that goes back gives nobody tokens; what was taken is then paid back within the time that an empty bucket
 * takes to fill, and no later.
 *
 * @param fullAt milliseconds, of the clock that `now` is of; undefined for a bucket that nothing is known of
 */
export function withdraw(
  fullAt: number | undefined,
  now: number,
  { perSecond, burst }: Quota,
  wanted: number,
): Withdrawal {
  const interval = 1_000 / perSecond;
  const capacity = burst * interval;
  const owed = Math.min(Math.max((fullAt ?? now) - now, 0), capacity);
  const granted = Math.min(wanted, Math.floor((capacity - owed) / interval + EPSILON));
  return { granted, fullAt: now + owed + granted * interval };
}

/** What to tell whoever took a token, or was refused one. */
export function taken(allowed: boolean, fullAt: number, now: number, { perSecond, burst }: Quota): Taken {
  const interval = 1_000 / perSecond;
  const fullInMs = Math.max(fullAt - now, 0);
  const free = burst - fullInMs / interval;
  const remaining = Math.max(Math.floor(free + EPSILON), 0);
  return { allowed, remaining, fullInMs, waitMs: remaining >= 1 ? 0 : (1 - free) * interval };
}

/**
 * The most tokens that a process takes from a shared bucket in advance: what falls into it in a twentieth of a second,
 * and never more than a twentieth of what it holds. 1 for small ones, which are then exact.
 */
export function leaseSize({ perSecond, burst }: Quota): number {
  return Math.max(Math.floor(Math.min(perSecond, burst) / 20), 1);
}
