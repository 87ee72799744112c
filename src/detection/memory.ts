/** What is usual for an actor. */
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

/** A part of a window, and how many there were in it. */
type Slice = readonly [slice: number, count: number];

/** As it is stored. */
export interface StoredMemory {
  /** With the second of the latest event of each. */
  readonly windows?: readonly (readonly [string, readonly Slice[], number?])[];
  readonly found?: readonly (readonly [string, number])[];
  readonly actors?: readonly (readonly [
    string,
    Omit<Baseline, 'actions'> & { readonly actions: readonly string[] },
  ])[];
}

const MOST_WINDOWS = 1_000;
const MOST_FOUND = 1_000;
const MOST_ACTORS = 300;
const MOST_ACTIONS = 100;
/** A window is counted in so many slices: what is kept of it does not grow with what is counted. */
const SLICES = 60;
const HOUR = 3_600;
/** What nobody was counted under for so long is forgotten: a hash of an address is of somebody too. */
const KEPT_SECONDS = 30 * 24 * HOUR;
/** Weight of the last hour. */
const ALPHA = 0.2;

/**
 * What is remembered of a log between its events: bounded, whatever the log holds. When it is full, what was touched
 * longest ago is forgotten. Times are seconds, and those of the events, never of a clock: the same log gives the same
 * findings whenever and in however many pieces it is looked at.
 */
export class Memory {
  readonly #windows: Map<string, { readonly slices: Slice[]; readonly at: number }>;
  readonly #found: Map<string, number>;
  readonly #actors: Map<string, Baseline>;
  /** The latest second that anything was counted in. */
  #latest: number;

  constructor({ windows = [], found = [], actors = [] }: StoredMemory = {}) {
    this.#latest = Math.max(0, ...windows.map(([, , at = 0]) => at), ...found.map(([, at]) => at));
    this.#windows = new Map(
      windows.map(([key, slices, at = this.#latest]) => [key, { slices: [...slices], at }]),
    );
    this.#found = new Map(found);
    this.#actors = new Map(
      actors.map(([id, { actions, ...baseline }]) => [id, { ...baseline, actions: new Set(actions) }]),
    );
  }

  /** Counts so many more of a key, and answers how many there were within the last seconds, to a sixtieth of them. */
  count(key: string, at: number, seconds: number, more = 1): number {
    const width = Math.max(1, Math.ceil(seconds / SLICES));
    const now = Math.floor(at / width);
    const oldest = Math.floor((at - seconds) / width);
    // Events of two processes may be a moment out of order; further ahead is what another width has left.
    const slices = (this.#windows.get(key)?.slices ?? []).filter(
      ([slice]) => slice > oldest && slice <= now + 1,
    );
    const last = slices.at(-1);
    if (last && last[0] >= now) slices[slices.length - 1] = [last[0], last[1] + more];
    else slices.push([now, more]);
    touch(this.#windows, key, { slices, at }, MOST_WINDOWS);
    this.#latest = Math.max(this.#latest, at);
    return slices.reduce((sum, [, count]) => sum + count, 0);
  }

  /** Whether this was not found within the last seconds; remembers that it was found now. */
  isNew(key: string, at: number, seconds: number): boolean {
    const before = this.#found.get(key);
    if (before !== undefined && at - before < seconds) return false;
    touch(this.#found, key, at, MOST_FOUND);
    this.#latest = Math.max(this.#latest, at);
    return true;
  }

  /** One more event of an actor. Answers what is usual, and whether this kind of call is the actor's first. */
  observe(
    actor: string,
    action: string,
    at: number,
  ): { readonly baseline: Baseline; readonly first: boolean } {
    const hour = Math.floor(at / HOUR);
    const baseline = this.#actors.get(actor) ?? {
      since: at,
      events: 0,
      hour,
      count: 0,
      mean: 0,
      hours: 0,
      actions: new Set<string>(),
    };
    if (hour > baseline.hour) {
      baseline.mean =
        baseline.hours === 0 ? baseline.count : baseline.mean + ALPHA * (baseline.count - baseline.mean);
      baseline.hours += 1;
      baseline.hour = hour;
      baseline.count = 0;
    }
    baseline.events += 1;
    baseline.count += 1;
    const first = !baseline.actions.has(action) && baseline.actions.size < MOST_ACTIONS;
    if (first) baseline.actions.add(action);
    touch(this.#actors, actor, baseline, MOST_ACTORS);
    return { baseline, first };
  }

  stored(): Required<StoredMemory> {
    const oldest = this.#latest - KEPT_SECONDS;
    return {
      windows: [...this.#windows].flatMap(([key, { slices, at }]) =>
        at < oldest ? [] : [[key, slices, at] as const],
      ),
      found: [...this.#found].filter(([, at]) => at >= oldest),
      actors: [...this.#actors].map(([id, { actions, ...baseline }]) => [
        id,
        { ...baseline, actions: [...actions] },
      ]),
    };
  }
}

/** Maps keep the order of insertion: the first is what was touched longest ago. */
function touch<T>(map: Map<string, T>, key: string, value: T, most: number): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= most) return;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
}
