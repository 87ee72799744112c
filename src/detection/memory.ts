import {
  loadedBaseline,
  newBaseline,
  observed,
  storedBaseline,
  type Baseline,
  type Observed,
  type StoredBaseline,
} from './baseline.js';

/** A part of a window, and how many there were in it. */
type Slice = readonly [slice: number, count: number];

/** As it is stored. */
export interface StoredMemory {
  /** With the second of the latest event of each. */
  readonly windows?: readonly (readonly [string, readonly Slice[], number?])[];
  readonly found?: readonly (readonly [string, number])[];
  readonly actors?: readonly (readonly [string, StoredBaseline])[];
  /** One, once there was anything. */
  readonly organisation?: readonly StoredBaseline[];
  /** Networks that somebody signed in from, with the day of the last time. */
  readonly networks?: readonly (readonly [string, number])[];
  /** The second of the latest event. */
  readonly clock?: readonly number[];
}

const MOST_WINDOWS = 1_000;
const MOST_FOUND = 1_000;
const MOST_ACTORS = 300;
const MOST_ACTIONS = 100;
/** The catalogue has fewer. */
const MOST_ACTIONS_OF_ALL = 1_000;
const MOST_NETWORKS = 2_000;
/** A window is counted in so many slices: what is kept of it does not grow with what is counted. */
const SLICES = 60;
const DAY = 86_400;
/** So much the clocks of two processes may differ. */
const CLOCKS_DIFFER_SECONDS = 60;
/** What nobody was counted under for so long is forgotten: a hash of an address is of somebody too. */
const KEPT_DAYS = 30;
const KEPT_SECONDS = KEPT_DAYS * DAY;

/**
 * What is remembered of a log between its events: bounded, whatever the log holds. When it is full, what was touched
 * longest ago is forgotten. Times are seconds, and those of the events, never of a clock: the same log gives the same
 * findings whenever and in however many pieces it is looked at.
 */
export class Memory {
  readonly #windows: Map<string, { readonly slices: Slice[]; readonly at: number }>;
  readonly #found: Map<string, number>;
  readonly #actors: Map<string, Baseline>;
  #organisation: Baseline | undefined;
  readonly #networks: Map<string, number>;
  /** The second of the latest event: no later one is counted before it. */
  #latest: number;

  constructor({
    windows = [],
    found = [],
    actors = [],
    organisation = [],
    networks = [],
    clock = [],
  }: StoredMemory = {}) {
    this.#latest =
      clock[0] ?? Math.max(0, ...windows.map(([, , at = 0]) => at), ...found.map(([, at]) => at));
    this.#windows = new Map(
      windows.map(([key, slices, at = this.#latest]) => [key, { slices: [...slices], at }]),
    );
    this.#found = new Map(found);
    this.#actors = new Map(actors.map(([id, baseline]) => [id, loadedBaseline(baseline)]));
    const [all] = organisation;
    this.#organisation = all && loadedBaseline(all);
    this.#networks = new Map(networks);
  }

  /**
   * The second that an event counts for, which its own time is what somebody has written: no earlier than the event before
   * it, and no later than now. One from the future says nothing of when it was, and counts for when the one before it was.
   */
  timeOf(at: number, now: number): number {
    // What an older version has remembered may lie in the future as well.
    const before = Math.min(this.#latest, now);
    const credible = Number.isFinite(at) && at <= now + CLOCKS_DIFFER_SECONDS;
    this.#latest = credible ? Math.min(Math.max(at, before), now) : before || now;
    return this.#latest;
  }

  /** Counts one more of a key, or several, and answers how many there were within the last seconds, to a sixtieth of them. */
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
    if (before !== undefined && before <= at && at - before < seconds) return false;
    touch(this.#found, key, at, MOST_FOUND);
    this.#latest = Math.max(this.#latest, at);
    return true;
  }

  /** One more event of an actor. */
  observe(actor: string, action: string, at: number): Observed {
    const baseline = this.#actors.get(actor) ?? newBaseline(at);
    touch(this.#actors, actor, baseline, MOST_ACTORS);
    return observed(baseline, action, at, MOST_ACTIONS);
  }

  /** The same event, as one of all: who is one of too many to be remembered is part of this. */
  observeOrganisation(action: string, at: number): Observed {
    this.#organisation ??= newBaseline(at);
    return observed(this.#organisation, action, at, MOST_ACTIONS_OF_ALL);
  }

  /** What is usual for the organisation, once there was anything. */
  get organisation(): Baseline | undefined {
    return this.#organisation;
  }

  /** Whether nobody has signed in from a network within a month. When there are too many, none is new. */
  isNewNetwork(network: string, at: number): boolean {
    const today = Math.floor(at / DAY);
    if (this.#networks.has(network)) {
      this.#networks.set(network, today);
      return false;
    }
    for (const [old, day] of this.#networks) if (day < today - KEPT_DAYS) this.#networks.delete(old);
    if (this.#networks.size >= MOST_NETWORKS) return false;
    this.#networks.set(network, today);
    return true;
  }

  stored(): Required<StoredMemory> {
    const oldest = this.#latest - KEPT_SECONDS;
    return {
      windows: [...this.#windows].flatMap(([key, { slices, at }]) =>
        at < oldest ? [] : [[key, slices, at] as const],
      ),
      found: [...this.#found].filter(([, at]) => at >= oldest),
      actors: [...this.#actors].map(([id, baseline]) => [id, storedBaseline(baseline)]),
      organisation: this.#organisation ? [storedBaseline(this.#organisation)] : [],
      clock: this.#latest > 0 ? [this.#latest] : [],
      networks: [...this.#networks].filter(([, day]) => day >= Math.floor(oldest / DAY)),
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
