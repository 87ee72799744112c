import { KeysUnavailable } from './key-errors.js';

/** How many calls there are at once. */
export interface GateLimits {
  readonly atOnce: number;
  /** For one tenant, so that one whose key service hangs leaves room for the others. */
  readonly perTenant: number;
  /** Those beyond are refused. */
  readonly waiting: number;
}

interface Waiting {
  readonly tenant: string;
  readonly enter: () => void;
}

/** Lets so many calls through at once, in the order in which they came, as far as their tenants have room. */
export class CallGate {
  readonly #running = new Map<string, number>();
  readonly #waiting: Waiting[] = [];
  #atOnce = 0;

  constructor(private readonly limits: GateLimits) {}

  /** @throws {KeysUnavailable} where too many wait already */
  async run<T>(tenant: string, call: () => Promise<T>): Promise<T> {
    if (!this.#enters(tenant)) {
      if (this.#waiting.length >= this.limits.waiting) throw new KeysUnavailable();
      await new Promise<void>((enter) => this.#waiting.push({ tenant, enter }));
    }
    try {
      return await call();
    } finally {
      this.#leave(tenant);
    }
  }

  /** Whether there was room, which is taken then. */
  #enters(tenant: string): boolean {
    const running = this.#running.get(tenant) ?? 0;
    if (this.#atOnce >= this.limits.atOnce || running >= this.limits.perTenant) return false;
    this.#atOnce += 1;
    this.#running.set(tenant, running + 1);
    return true;
  }

  #leave(tenant: string): void {
    this.#atOnce -= 1;
    const running = (this.#running.get(tenant) ?? 1) - 1;
    if (running > 0) this.#running.set(tenant, running);
    else this.#running.delete(tenant);
    const next = this.#waiting.findIndex((one) => this.#enters(one.tenant));
    if (next >= 0) this.#waiting.splice(next, 1)[0]?.enter();
  }
}
