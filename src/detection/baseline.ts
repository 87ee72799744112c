/** What is usual: for an actor, or for the organisation as a whole. */
export interface Baseline {
  /** Second of the first event. */
  readonly since: number;
  events: number;
  /** The hour that is being counted, and its count. */
  hour: number;
  count: number;
  /** Exponentially weighted mean of the hours in which there was anything, and how many there were. */
  mean: number;
  hours: number;
  /** Kinds of calls that were seen. */
  readonly actions: Set<string>;
}

/** As it is stored. */
export type StoredBaseline = Omit<Baseline, 'actions'> & { readonly actions: readonly string[] };

/** What is usual after one more event, and whether this kind of call is the first. */
export interface Observed {
  readonly baseline: Baseline;
  readonly first: boolean;
}

const HOUR = 3_600;
/** Weight of the last hour. */
const ALPHA = 0.2;

export function newBaseline(at: number): Baseline {
  return {
    since: at,
    events: 0,
    hour: Math.floor(at / HOUR),
    count: 0,
    mean: 0,
    hours: 0,
    actions: new Set(),
  };
}

export function loadedBaseline({ actions, ...baseline }: StoredBaseline): Baseline {
  return { ...baseline, actions: new Set(actions) };
}

export function storedBaseline({ actions, ...baseline }: Baseline): StoredBaseline {
  return { ...baseline, actions: [...actions] };
}

/** Counts one more event; of kinds of calls only so many are remembered, and none is the first after that. */
export function observed(baseline: Baseline, action: string, at: number, mostActions: number): Observed {
  const hour = Math.floor(at / HOUR);
  if (hour > baseline.hour) {
    baseline.mean =
      baseline.hours === 0 ? baseline.count : baseline.mean + ALPHA * (baseline.count - baseline.mean);
    baseline.hours += 1;
    baseline.hour = hour;
    baseline.count = 0;
  }
  // What an older version has counted in an hour that is yet to come.
  if (hour < baseline.hour) {
    baseline.hour = hour;
    baseline.count = 0;
  }
  baseline.events += 1;
  baseline.count += 1;
  const first = !baseline.actions.has(action) && baseline.actions.size < mostActions;
  if (first) baseline.actions.add(action);
  return { baseline, first };
}
