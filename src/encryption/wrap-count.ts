import { SealsUncounted } from './key-errors.js';

/** A first block is small, as most processes seal little for most tenants; each further one is twice as large, up to this. */
const FIRST_BLOCK = 4_096;
const LARGEST_BLOCK = 1_048_576;
/** A process may be so far ahead of its reservation, which travels in the background. */
export const UNCOUNTED_AT_MOST = 65_536;
const PAUSE_MS = 1_000;

/** Adds a block to the count that all processes share. */
export type ReserveWraps = (wraps: number) => Promise<void>;

/**
 * How often a key wraps, counted without a write for each time: a process reserves a block in the database before it has
 * used the one before up. What a killed process had left of its block counts as used, and at most `UNCOUNTED_AT_MOST`
 * are not counted.
 */
export class WrapCount {
  #left = 0;
  #block = FIRST_BLOCK;
  #reserving = false;
  #retryAt = 0;

  constructor(
    private readonly reserve: ReserveWraps,
    private readonly onFailure: (error: unknown) => void,
  ) {}

  /** To be called for each wrapping. @throws {SealsUncounted} */
  take(): void {
    if (this.#left < this.#block / 2) this.#topUp();
    if (this.#left <= -UNCOUNTED_AT_MOST) throw new SealsUncounted();
    this.#left -= 1;
  }

  #topUp(): void {
    if (this.#reserving || performance.now() < this.#retryAt) return;
    this.#reserving = true;
    void this.#reserveBlock(this.#block).finally(() => {
      this.#reserving = false;
    });
  }

  async #reserveBlock(block: number): Promise<void> {
    try {
      await this.reserve(block);
      this.#left += block;
      this.#block = Math.min(block * 2, LARGEST_BLOCK);
    } catch (error) {
      this.#retryAt = performance.now() + PAUSE_MS;
      this.onFailure(error);
    }
  }
}
