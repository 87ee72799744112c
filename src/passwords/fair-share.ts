/**
 * Work at the same time, of which each may have as much as is left then: one that asks for more and more has half of all,
 * two of them a third each, and whoever comes next finds room.
 */
export class FairShare {
  readonly #own = new Map<string, number>();
  #all = 0;

  constructor(private readonly most: number) {}

  /** @param full what is thrown where there is no room for another piece of `whose` */
  async take<T>(whose: string, full: () => Error, work: () => Promise<T>): Promise<T> {
    const own = this.#own.get(whose) ?? 0;
    if (own >= this.most - this.#all) throw full();
    this.#own.set(whose, own + 1);
    this.#all += 1;
    try {
      return await work();
    } finally {
      this.#all -= 1;
      const left = (this.#own.get(whose) ?? 1) - 1;
      if (left === 0) this.#own.delete(whose);
      else this.#own.set(whose, left);
    }
  }
}
