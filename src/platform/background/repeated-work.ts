/** One round. It ends early when the signal says that the application stops. */
type Round = (stopping: AbortSignal) => Promise<unknown>;

/** Work that is repeated in the background: a round, a pause, the next round, whether or not the one before succeeded. */
export class RepeatedWork {
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> = Promise.resolve();

  constructor(
    private readonly round: Round,
    /** Milliseconds from the end of a round to the next. */
    private readonly pause: number,
    /** Told of a round that failed, unless it failed because of the stop. */
    private readonly onError: (error: unknown) => void,
  ) {}

  get stopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** To be called once the application has started. */
  start(after: number = this.pause): void {
    this.#next(after);
  }

  /** There is something to do: a round begins at once, or as soon as the one at work has ended. */
  now(): void {
    this.#next(0);
  }

  /** No further round begins; resolves when the one at work has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    await this.#round;
  }

  #next(after: number): void {
    if (this.stopping) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#round = this.#round.then(() => this.#once());
    }, after).unref();
  }

  async #once(): Promise<void> {
    if (this.stopping) return;
    try {
      await this.round(this.#stopping.signal);
    } catch (error) {
      if (!this.stopping) this.onError(error);
    }
    // Somebody may have asked for the next one already.
    if (!this.#timer) this.#next(this.pause);
  }
}
