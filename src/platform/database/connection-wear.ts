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
  readonly #seen = new Map<TenantId, Set<number>>();
  #count = 0;

  constructor(limits: Partial<WearLimits> = {}) {
    const { lifetimeMs, touches } = { ...LIMITS, ...limits };
    this.#until = Date.now() + lifetimeMs * (1 - JITTER + 2 * JITTER * Math.random());
    this.#touches = touches;
  }

  /** To be called with each statement that is sent under a tenant's role. */
  note(tenant: TenantId, text: string): void {
    if (this.#count >= this.#touches) return;
    let statements = this.#seen.get(tenant);
    if (!statements) this.#seen.set(tenant, (statements = new Set()));
    const before = statements.size;
    statements.add(idOf(text));
    this.#count += statements.size - before;
  }

  get worn(): boolean {
    return this.#count >= this.#touches || Date.now() >= this.#until;
  }
}

/** Statements' texts by number, once for all connections: kept by each, long texts would cost more than they save. */
const ids = new Map<string, number>();
const MOST_TEXTS = 10_000;
let lastId = 0;

function idOf(text: string): number {
  let id = ids.get(text);
  if (id === undefined) {
    // Texts that are built anew each time must not fill the memory. A text that gets a second number counts twice.
    if (ids.size >= MOST_TEXTS) ids.clear();
    ids.set(text, (id = lastId += 1));
  }
  return id;
}
