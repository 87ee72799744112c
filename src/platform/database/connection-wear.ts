import type { TenantId } from './tenant-id.js';

export interface WearLimits {
  /** Milliseconds that a connection serves, on average: each draws its own, so that not all end together. */
  readonly lifetimeMs: number;
  /** Different statements of different tenants, each counted once. */
  readonly touches: number;
}

/**
 * A backend keeps what it has learnt of each tenant's tables for as long as it lives, and no command makes it forget
 * (`DISCARD ALL` frees nothing of it). See docs/adr/0010 for the measurement that these numbers come from.
 */
const LIMITS: WearLimits = { lifetimeMs: 30 * 60_000, touches: 2_000 };
const JITTER = 0.25;

/** Estimates how much a connection's backend has come to hold, from what was sent to it. */
export class ConnectionWear {
  readonly #until: number;
  readonly #touches: number;
  readonly #seen = new Map<TenantId, Map<number, number>>();
  #count = 0;

  constructor(limits: Partial<WearLimits> = {}) {
    const { lifetimeMs, touches } = { ...LIMITS, ...limits };
    this.#until = Date.now() + lifetimeMs * (1 - JITTER + 2 * JITTER * Math.random());
    this.#touches = touches;
  }

  /** To be called with each statement that is sent under a tenant's role. Returns how often it was, this time included. */
  note(tenant: TenantId, text: number): number {
    let uses = this.#seen.get(tenant);
    if (!uses) this.#seen.set(tenant, (uses = new Map()));
    const before = uses.get(text) ?? 0;
    if (before === 0) this.#count += 1;
    uses.set(text, before + 1);
    return before + 1;
  }

  get worn(): boolean {
    return this.#count >= this.#touches || Date.now() >= this.#until;
  }
}
