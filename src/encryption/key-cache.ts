import { LRUCache } from 'lru-cache';
import type { TenantRef } from '../platform/database/index.js';
import { KeysDestroyed, KeysRefused, KeysUnavailable, keyServiceFault } from './key-errors.js';
import type { KeyTimes } from './key-times.js';

/** Tenants whose keys a process holds at once; others are fetched again when needed. */
const TENANTS_IN_MEMORY = 5_000;

/** Keys as they were read: `opened` where the key service was asked, and not only the database. */
export interface Loaded<Keys> {
  readonly keys: Keys;
  readonly opened: boolean;
}

/** Reads a tenant's keys; without `open` it may answer `held` where the rows say that they are the same. */
export type LoadKeys<Keys> = (
  tenant: TenantRef,
  held: Keys | undefined,
  open: boolean,
) => Promise<Loaded<Keys>>;

interface Entry<Keys> {
  readonly tenant: TenantRef;
  keys: Keys;
  openedAt: number;
  readAt: number;
  /** Another process has changed them, or may have: the rows are to be read before they are used again. */
  doubted: boolean;
  /** The key service did not answer the last time; it is asked again from then on. */
  retryAt: number | undefined;
}

interface Flight<Keys> {
  readonly promise: Promise<Keys>;
  readonly open: boolean;
  /** Something changed while it was under way. */
  again: boolean;
}

/**
 * Keys of tenants in memory. However many ask at once, they are fetched once; they are fetched anew before they end, in
 * the background; a key service that is away is bridged for a bounded time, one that refuses ends them at once.
 */
export class KeyCache<Keys extends object> {
  readonly #entries = new LRUCache<string, Entry<Keys>>({ max: TENANTS_IN_MEMORY });
  readonly #refused = new LRUCache<string, { readonly error: unknown; readonly until: number }>({
    max: TENANTS_IN_MEMORY,
  });
  readonly #flights = new Map<string, Flight<Keys>>();

  constructor(
    private readonly load: LoadKeys<Keys>,
    private readonly timesOf: (keys: Keys) => KeyTimes,
    private readonly clock: () => number,
    /** Whether changes of other processes are heard. */
    private readonly hears: () => boolean,
    private readonly onFailure: (tenant: TenantRef, error: unknown) => void,
  ) {}

  /** The keys if they may be used without waiting. */
  get(id: string): Keys | undefined {
    const entry = this.#entries.get(id);
    if (!entry) return undefined;
    const now = this.clock();
    const times = this.timesOf(entry.keys);
    if (entry.doubted || (!this.hears() && now - entry.readAt >= times.unheard)) return undefined;
    const age = now - entry.openedAt;
    if (age < times.refreshAhead) return entry.keys;
    if (now >= (entry.retryAt ?? 0)) this.#inBackground(entry.tenant, true);
    if (age < times.fresh) return entry.keys;
    return entry.retryAt !== undefined && age < times.fresh + times.stale ? entry.keys : undefined;
  }

  /** The keys, fetched where that is needed. */
  async of(tenant: TenantRef): Promise<Keys> {
    const known = this.get(tenant.id);
    if (known) return known;
    const entry = this.#entries.peek(tenant.id);
    const old = entry !== undefined && this.clock() - entry.openedAt >= this.timesOf(entry.keys).fresh;
    return this.#fetch(tenant, entry === undefined || old);
  }

  /** The keys as the rows have them now: for who met one that is not known here. */
  reread(tenant: TenantRef): Promise<Keys> {
    return this.#fetch(tenant, false);
  }

  /** Another process has changed these: reads them at once, and lets the old ones be used meanwhile. */
  changed(id: string): void {
    this.#refused.delete(id);
    const flight = this.#flights.get(id);
    if (flight) flight.again = true;
    const entry = this.#entries.peek(id);
    if (entry && !flight) this.#inBackground(entry.tenant, false);
  }

  /** Something of the tenant changed, such as where it lives: its rows are read before its keys are used again. */
  doubt(id: string): void {
    this.#refused.delete(id);
    const flight = this.#flights.get(id);
    if (flight) flight.again = true;
    const entry = this.#entries.peek(id);
    if (entry) entry.doubted = true;
  }

  /** Changes may have been missed. */
  doubtAll(): void {
    this.#refused.clear();
    for (const flight of this.#flights.values()) flight.again = true;
    for (const entry of this.#entries.values()) entry.doubted = true;
  }

  drop(id: string): void {
    this.#entries.delete(id);
    this.#refused.delete(id);
  }

  /** Forgets keys that are too old to be used: nobody has asked for them in a long time. */
  sweep(): void {
    const now = this.clock();
    for (const [id, { keys, openedAt }] of this.#entries.entries()) {
      const { fresh, stale } = this.timesOf(keys);
      if (now - openedAt >= fresh + stale) this.#entries.delete(id);
    }
  }

  #inBackground(tenant: TenantRef, open: boolean): void {
    if (this.#flights.has(tenant.id)) return;
    this.#fetch(tenant, open).catch((error: unknown) => this.onFailure(tenant, error));
  }

  async #fetch(tenant: TenantRef, open: boolean): Promise<Keys> {
    const refused = this.#refused.get(tenant.id);
    if (refused && this.clock() < refused.until) throw refused.error;
    const running = this.#flights.get(tenant.id);
    if (running && (running.open || !open)) return running.promise;
    const flight: Flight<Keys> = { open, again: false, promise: this.#settle(tenant, open) };
    this.#flights.set(tenant.id, flight);
    try {
      return await flight.promise;
    } finally {
      if (this.#flights.get(tenant.id) === flight) this.#flights.delete(tenant.id);
      if (flight.again) this.#inBackground(tenant, false);
    }
  }

  async #settle(tenant: TenantRef, open: boolean): Promise<Keys> {
    const held = this.#entries.peek(tenant.id);
    // What the key service has answered was true at some time since then.
    const askedAt = this.clock();
    try {
      const { keys, opened } = await this.load(tenant, held?.keys, open);
      this.#keep(tenant, keys, opened ? askedAt : undefined, held);
      return keys;
    } catch (error) {
      const bridged = held && this.#bridged(held, error);
      if (bridged) return bridged;
      throw this.#ended(tenant, error, held);
    }
  }

  #keep(tenant: TenantRef, keys: Keys, askedAt: number | undefined, held: Entry<Keys> | undefined): void {
    const now = this.clock();
    const openedAt = askedAt ?? held?.openedAt ?? now;
    const retryAt = askedAt === undefined ? held?.retryAt : undefined;
    this.#entries.set(tenant.id, { tenant, keys, openedAt, readAt: now, doubted: false, retryAt });
  }

  /** The keys in memory, where the key service is away and they are not too old. */
  #bridged(held: Entry<Keys>, error: unknown): Keys | undefined {
    if (keyServiceFault(error) !== 'passing') return undefined;
    const now = this.clock();
    const times = this.timesOf(held.keys);
    if (now - held.openedAt >= times.fresh + times.stale) return undefined;
    held.retryAt = now + times.pause;
    // The rows were read: it was the key service that did not answer.
    held.readAt = now;
    held.doubted = false;
    return held.keys;
  }

  #ended(tenant: TenantRef, error: unknown, held: Entry<Keys> | undefined): unknown {
    if (error instanceof KeysDestroyed) this.#entries.delete(tenant.id);
    const fault = keyServiceFault(error);
    if (fault === undefined) return error;
    this.#entries.delete(tenant.id);
    if (fault === 'passing') return new KeysUnavailable({ cause: error });
    const refusal = new KeysRefused({ cause: error });
    const pause = held ? this.timesOf(held.keys).pause : 1_000;
    this.#refused.set(tenant.id, { error: refusal, until: this.clock() + pause });
    return refusal;
  }
}
