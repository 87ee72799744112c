import { taken, type Quota, type Taken } from './token-bucket.js';

/** Tokens that were not used by then are given up: they have fallen into the bucket anew. */
const LEASE_MS = 1_000;

/** The tokens of one bucket that a process has taken in advance, and what Redis last said of the bucket. */
export class Lease {
  /** Callers that wait for the next answer of Redis. */
  waiting = 0;
  fetching: Promise<void> | undefined;
  #tokens = 0;
  #expiresAt = 0;
  #fetchedAt = 0;
  #usedSinceFetch = 0;
  /** What this process uses in half a lease's life, as far as that is leased. */
  #pace = 1;
  /** In the bucket itself, after the last fetch. */
  #free = 0;
  /** When the bucket will be full, by the clock of this process. */
  #fullAt = 0;
  /** Until then the bucket is known to be empty. */
  #refusedUntil = 0;

  constructor(
    readonly quota: Quota,
    readonly hashedKey: string,
    /** The most that is taken in advance. */
    readonly size: number,
  ) {}

  isFor({ perSecond, burst }: Quota): boolean {
    return this.quota.perSecond === perSecond && this.quota.burst === burst;
  }

  /** A token or a refusal, or undefined where only Redis can tell. */
  take(now: number): Taken | undefined {
    if (this.#tokens > 0 && this.#expiresAt > now) {
      this.#tokens -= 1;
      this.#usedSinceFetch += 1;
      const remaining = this.#free + this.#tokens;
      return { allowed: true, remaining, fullInMs: Math.max(this.#fullAt - now, 0), waitMs: 0 };
    }
    this.#tokens = 0;
    return this.#refusedUntil > now ? taken(false, this.#fullAt, now, this.quota) : undefined;
  }

  /** One that uses a token now and then takes one at a time: tokens that nobody uses in time are lost to all. */
  isRunningOut(now: number): boolean {
    return this.#pace >= 2 && this.#tokens <= this.#pace / 2 && this.#refusedUntil <= now;
  }

  /** Tokens to ask for: for everybody who waits, or as many as this process will use at its pace. */
  wanted(now: number): number {
    const seconds = Math.max(now - this.#fetchedAt, 1) / LEASE_MS;
    const used = Math.max(this.#usedSinceFetch, this.waiting);
    this.#pace = Math.min(Math.max(Math.floor(used / seconds / 2), 1), this.size);
    return Math.max(this.waiting, this.#pace);
  }

  /** Takes over Redis's answer: tokens granted, tokens left in the bucket, and the time until that is full. */
  refill(granted: number, free: number, fullInMs: number, now: number): void {
    this.#tokens = (this.#expiresAt > now ? this.#tokens : 0) + granted;
    this.#usedSinceFetch = 0;
    this.#fetchedAt = now;
    this.#expiresAt = now + LEASE_MS;
    this.#free = free;
    this.#fullAt = now + fullInMs;
    // At least for whoever waits now: they would ask again without end.
    const waitMs = Math.max(taken(false, this.#fullAt, now, this.quota).waitMs, 1);
    this.#refusedUntil = granted > 0 ? 0 : now + waitMs;
  }
}
