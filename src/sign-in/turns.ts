interface Line {
  last: Promise<unknown>;
  length: number;
}

/** Work of one key, one piece after the other; of different keys, at the same time. */
export class Turns {
  readonly #lines = new Map<string, Line>();

  /** @param longest pieces of one key, the one at work included; a further one is refused */
  constructor(private readonly longest: number) {}

  /** @param full what is thrown where too many wait already */
  async take<T>(key: string, full: () => Error, work: () => Promise<T>): Promise<T> {
    const line = this.#lines.get(key) ?? { last: Promise.resolve(), length: 0 };
    if (line.length >= this.longest) throw full();
    line.length += 1;
    this.#lines.set(key, line);
    // Whatever came of the one before.
    const done = line.last.then(work, work);
    line.last = done;
    try {
      return await done;
    } finally {
      line.length -= 1;
      if (line.length === 0) this.#lines.delete(key);
    }
  }
}
