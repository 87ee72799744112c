import { LRUCache } from 'lru-cache';
import { taken, withdraw, type Quota, type Taken } from './token-bucket.js';

export interface MemoryTokenBucketsOptions {
  /** Buckets that are remembered of each name; the one that was not asked for longest is forgotten first. */
  readonly max?: number;
  /** Milliseconds of a clock that does not run backwards. */
  readonly now?: () => number;
}

const MAX = 100_000;

/** Token buckets of one process. Answers at once. */
export class MemoryTokenBuckets {
  readonly #max: number;
  readonly #now: () => number;
  readonly #fullAt = new Map<string, LRUCache<string, number>>();

  constructor({ max = MAX, now = () => performance.now() }: MemoryTokenBucketsOptions = {}) {
    this.#max = max;
    this.#now = now;
  }

  open(): Promise<void> {
    return Promise.resolve();
  }

  take(quota: Quota, key: string): Taken {
    const buckets = this.#named(quota.name);
    const now = this.#now();
    const { granted, fullAt } = withdraw(buckets.get(key), now, quota, 1);
    // After a refusal too: what is owed is cut to what the quota holds, which may be less than before.
    buckets.set(key, fullAt);
    return taken(granted === 1, fullAt, now, quota);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #named(name: string): LRUCache<string, number> {
    const known = this.#fullAt.get(name);
    if (known) return known;
    const made = new LRUCache<string, number>({ max: this.#max });
    this.#fullAt.set(name, made);
    return made;
  }
}
