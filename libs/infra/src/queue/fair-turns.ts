/** Beyond this many tenants in one round, the round begins anew: the list travels with every query. */
const ROUND_LIMIT = 1_000;

/**
 * Takes jobs tenant by tenant: in each round every tenant with waiting jobs has one turn, so somebody who enqueues
 * ten thousand jobs delays the others by one job each, not by ten thousand.
 */
export class FairTurns<Taken extends { readonly tenantId: string }> {
  readonly #take: (exceptTenants: readonly string[]) => Promise<Taken | null>;
  readonly #served = new Set<string>();

  /** `take` hands out the oldest waiting job of any tenant but the given ones. */
  constructor(take: (exceptTenants: readonly string[]) => Promise<Taken | null>) {
    this.#take = take;
  }

  async next(): Promise<Taken | null> {
    let taken = await this.#take([...this.#served]);
    if (!taken && this.#served.size > 0) {
      this.#served.clear();
      taken = await this.#take([]);
    }
    if (taken) this.#served.add(taken.tenantId);
    if (this.#served.size > ROUND_LIMIT) this.#served.clear();
    return taken;
  }
}
