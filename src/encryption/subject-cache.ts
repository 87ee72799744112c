import { LRUCache } from 'lru-cache';
import type { Kek } from './field-codec.js';
import type { TenantKeys } from './tenant-keys.js';

/** Persons whose keys a process holds at once; a person has a key for each time that the tenant's were rotated. */
const PERSONS_IN_MEMORY = 20_000;
const KEYS_IN_MEMORY = 100_000;

/** A person's keys in memory. */
export interface Subject {
  readonly person: string;
  /** Seals new values. */
  readonly current: Kek | undefined;
  /** By the id in the header of what they sealed; undefined is one that was destroyed. */
  readonly byId: ReadonlyMap<string, Kek | undefined>;
  readonly erased: boolean;
}

interface Entry {
  readonly subject: Subject;
  /** The tenant's key at that time: another one, or the same opened anew, means that this is read again. */
  readonly under: Kek;
  readonly readAt: number;
}

/** Keys of persons, as long as the tenant's keys are the ones that opened them, and nobody said that the person changed. */
export class SubjectCache {
  readonly #entries = new LRUCache<string, Entry>({ max: PERSONS_IN_MEMORY });
  readonly #owners = new LRUCache<string, string>({ max: KEYS_IN_MEMORY });
  #changesHeard = 0;

  constructor(
    /** How old an entry may be while changes are not heard, in milliseconds. */
    private readonly unheard: number,
    private readonly clock: () => number,
    private readonly hears: () => boolean,
  ) {}

  /** Rises with everything that is dropped: what was on its way at that time is not kept. */
  get changesHeard(): number {
    return this.#changesHeard;
  }

  get(keys: TenantKeys, tenant: string, person: string): Subject | undefined {
    const entry = this.#entries.get(`${tenant} ${person}`);
    if (!entry || entry.under !== keys.current) return undefined;
    if (!this.hears() && this.clock() - entry.readAt >= this.unheard) return undefined;
    return entry.subject;
  }

  /** The person whose key has this id. */
  owner(keys: TenantKeys, tenant: string, id: string): Subject | undefined {
    const person = this.#owners.get(`${tenant} ${id}`);
    const subject = person === undefined ? undefined : this.get(keys, tenant, person);
    return subject?.byId.has(id) ? subject : undefined;
  }

  put(keys: TenantKeys, tenant: string, subject: Subject): void {
    const entry = { subject, under: keys.current, readAt: this.clock() };
    this.#entries.set(`${tenant} ${subject.person}`, entry);
    for (const id of subject.byId.keys()) this.#owners.set(`${tenant} ${id}`, subject.person);
  }

  drop(tenant: string, person: string): void {
    this.#changesHeard += 1;
    this.#entries.delete(`${tenant} ${person}`);
  }

  clear(): void {
    this.#changesHeard += 1;
    this.#entries.clear();
  }
}
