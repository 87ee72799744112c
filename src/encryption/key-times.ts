/**
 * How long keys in memory are good, in milliseconds since the key service has last opened them. Bound as a value, so
 * that tests compress the clock.
 */
export class KeyTimes {
  constructor(
    /** Until then they are used without a question. */
    readonly fresh: number,
    /** From then on whoever uses them has them asked for again, in the background. */
    readonly refreshAhead: number,
    /** For so long beyond `fresh` they are used while the key service does not answer; a refusal ends them at once. */
    readonly stale: number,
    /** Between two questions to a key service that did not answer; and for so long a refusal is believed. */
    readonly pause: number,
    /** How old rows may be that were read while the change feed is down. */
    readonly unheard: number,
    /** After a new key was announced: until then every process seals with it. */
    readonly settle: number,
    readonly now: () => number,
  ) {}

  /** For a key that a customer keeps: a revocation is noticed within the 60 seconds that we promise. */
  ofCustomerKeys(): KeyTimes {
    const { pause, unheard, settle, now } = this;
    return new KeyTimes(45_000, 30_000, 10 * MINUTE, pause, unheard, settle, now);
  }

  /** For one that is asked for each value: nothing of it is used for longer than a minute, whatever its key service does. */
  ofHeldKeys(): KeyTimes {
    const { pause, unheard, settle, now } = this;
    return new KeyTimes(45_000, 30_000, 10_000, pause, unheard, settle, now);
  }
}

const MINUTE = 60_000;

/** An hour; asked for again from the 45th minute on; at most half an hour more while the key service is away. */
export const KEY_TIMES = new KeyTimes(60 * MINUTE, 45 * MINUTE, 30 * MINUTE, 5_000, 1_000, 5_000, () =>
  performance.now(),
);
