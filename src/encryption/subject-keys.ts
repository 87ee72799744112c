import { Injectable, type OnModuleInit } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import {
  currentTenant,
  Feed,
  TenantDatabase,
  type Statement,
  type TenantRef,
} from '../platform/database/index.js';
import { Log } from '../platform/observability/log.js';
import { FieldUnreadable, type Kek } from './field-codec.js';
import { PersonErased } from './key-errors.js';
import { KeyRing } from './key-ring.js';
import { SubjectCache, type Subject } from './subject-cache.js';
import { KeyTimes } from './key-times.js';
import { adoptionOf, newSubjectKey, openSubjectKey, type SubjectRow } from './subject-key.js';
import { hexOf, type TenantKeys } from './tenant-keys.js';

/** Finds the key that a stored value names, by the 32 hexadecimal digits of its id. @throws {FieldUnreadable | PersonErased} */
export type FindKek = (id: string) => Kek;

/** Keys and persons that are asked of the database in one statement. */
interface Asked {
  readonly ids: Set<string>;
  readonly persons: Set<string>;
  readonly answer: Promise<readonly Subject[]>;
}

type Adopt = (tenant: TenantRef, statement: Statement) => Promise<void>;

/**
 * Keys of persons: what is a person's own is sealed under them, and they are wrapped by the tenant's field key. A person
 * is erased by destroying them. In memory they are bound to the tenant's keys that opened them, and end with those.
 */
@Injectable()
export class SubjectKeys implements OnModuleInit {
  readonly #cache: SubjectCache;
  readonly #asked = new Map<string, Asked>();
  readonly #adopting = new Set<string>();
  #adopt: Adopt | undefined;

  constructor(
    private readonly keys: KeyRing,
    private readonly database: TenantDatabase,
    private readonly feed: Feed,
    times: KeyTimes,
    private readonly log: Log,
  ) {
    this.#cache = new SubjectCache(times.unheard, times.now, () => this.feed.reliable());
  }

  onModuleInit(): void {
    this.feed.subscribe(({ kind, tenant, id }) => {
      if (kind === 'user') this.forget(tenant, id);
      else if (kind === 'tenant' && tenant === '*') this.#cache.clear();
    });
  }

  /** The person has changed: the keys are read again before they are used. */
  forget(tenant: string, person: string): void {
    this.#cache.drop(tenant, person);
  }

  /** Who stores the key of a person who has none, as persons of before have not. */
  adoptBy(adopt: Adopt): void {
    this.#adopt = adopt;
  }

  /** What seals a person's values, if that is known without waiting; undefined too where it is not. */
  warm(keys: TenantKeys, tenant: string, person: string): Kek | undefined {
    return this.#cache.get(keys, tenant, person)?.current;
  }

  /**
   * What seals a person's values: the tenant's key where the person has none, which is made then, for the next time.
   * @throws {PersonErased}
   */
  async sealing(keys: TenantKeys, tenant: TenantRef, person: string): Promise<Kek> {
    const subject =
      this.#cache.get(keys, tenant.id, person) ??
      (await this.#ask(keys, tenant, { persons: [person] })).find((one) => one.person === person);
    if (subject?.erased) throw new PersonErased();
    if (subject?.current) return subject.current;
    this.#adoptLater(keys, tenant, person);
    return keys.current;
  }

  /** The keys that stored values name: the tenant's own, and those of persons, asked for in one statement. */
  async opening(tenant: TenantRef, ids: readonly string[]): Promise<FindKek> {
    let keys = this.keys.warm(tenant.id) ?? (await this.keys.of(tenant));
    const found = this.openingWarm(keys, tenant.id, ids);
    if (found) return found;
    const others = ids.filter((id) => !keys.byId.has(id));
    const subjects = await this.#ask(keys, tenant, { ids: others });
    const foreign = others.some((id) => !subjects.some(({ byId }) => byId.has(id)));
    // Of no person: then another process has made it since, for the tenant.
    if (foreign) keys = await this.keys.reread(tenant);
    return finding(keys, subjects);
  }

  /** The same, where all of them are in memory. */
  openingWarm(keys: TenantKeys, tenant: string, ids: readonly string[]): FindKek | undefined {
    const subjects: Subject[] = [];
    for (const id of ids) {
      if (keys.byId.has(id)) continue;
      const subject = this.#cache.owner(keys, tenant, id);
      if (!subject) return undefined;
      subjects.push(subject);
    }
    return finding(keys, subjects);
  }

  /** Whose key sealed a value, if it is a person's. */
  async personOf(tenant: TenantRef, id: string): Promise<string | undefined> {
    const keys = this.keys.warm(tenant.id) ?? (await this.keys.of(tenant));
    if (keys.byId.has(id)) return undefined;
    const known = this.#cache.owner(keys, tenant.id, id);
    if (known) return known.person;
    return (await this.#ask(keys, tenant, { ids: [id] })).find(({ byId }) => byId.has(id))?.person;
  }

  /**
   * Makes the key of a new person of the tenant in scope: from now on it seals. Answers what stores it, to be run in the
   * same transaction, after the person's own row.
   */
  async create(person: string): Promise<Statement> {
    const tenant = currentTenant();
    const keys = await this.keys.of(tenant);
    const { id, kek, wrapped } = newSubjectKey(keys, tenant.id, person);
    this.#cache.put(keys, tenant.id, {
      person,
      erased: false,
      current: kek,
      byId: new Map([[hexOf(id), kek]]),
    });
    return {
      text: 'INSERT INTO subject_keys (id, person, wrapped, wrapped_by) VALUES ($1, $2, $3, $4)',
      values: [id, person, wrapped, keys.currentId],
    };
  }

  /** Statements that destroy a person's keys for ever, where the person's row is locked. To be announced with it. */
  destroy(person: string): Statement[] {
    return [
      {
        // Of who never had a key there has to be known too that none may be made.
        text: `INSERT INTO subject_keys (id, person, state) SELECT $2, $1, 'destroyed'
          WHERE NOT EXISTS (SELECT 1 FROM subject_keys WHERE person = $1)`,
        values: [person, uuidv7()],
      },
      {
        text: `UPDATE subject_keys SET state = 'destroyed', wrapped = NULL, wrapped_by = NULL WHERE person = $1`,
        values: [person],
      },
    ];
  }

  /** Who asks in one turn of the event loop is answered by one statement: a page of a list is one. */
  #ask(
    keys: TenantKeys,
    tenant: TenantRef,
    { ids = [], persons = [] }: { readonly ids?: readonly string[]; readonly persons?: readonly string[] },
  ): Promise<readonly Subject[]> {
    const before = this.#asked.get(tenant.id);
    const asked = before ?? {
      ids: new Set<string>(),
      persons: new Set<string>(),
      answer: this.#answer(keys, tenant),
    };
    this.#asked.set(tenant.id, asked);
    for (const id of ids) asked.ids.add(id);
    for (const person of persons) asked.persons.add(person);
    return asked.answer;
  }

  async #answer(known: TenantKeys, tenant: TenantRef): Promise<readonly Subject[]> {
    await Promise.resolve();
    const asked = this.#asked.get(tenant.id);
    this.#asked.delete(tenant.id);
    if (!asked) return [];
    const heard = this.#cache.changesHeard;
    const rows = await this.database.within(tenant, () =>
      this.database.query<SubjectRow & Record<string, unknown>>({
        // Named, so that it goes over the read lane: see KeyRing.
        name: 'subject_keys',
        text: `SELECT id, person, state, wrapped, wrapped_by FROM subject_keys WHERE person = ANY ($1::uuid[])
          OR person IN (SELECT person FROM subject_keys WHERE id = ANY ($2::uuid[]))`,
        values: [[...asked.persons].filter(isUuid), [...asked.ids]],
      }),
    );
    const strange = rows.some(({ wrapped_by: by }) => by !== null && !known.byId.has(hexOf(by)));
    const keys = strange ? await this.keys.reread(tenant) : known;
    const subjects = subjectsOf(keys, tenant.id, rows);
    // What was heard meanwhile may have been of one of them: good for who asked, not for keeping.
    if (heard === this.#cache.changesHeard)
      for (const subject of subjects) this.#cache.put(keys, tenant.id, subject);
    return subjects;
  }

  #adoptLater(keys: TenantKeys, tenant: TenantRef, person: string): void {
    const what = `${tenant.id} ${person}`;
    if (!this.#adopt || !isUuid(person) || this.#adopting.has(what)) return;
    this.#adopting.add(what);
    this.#adopt(tenant, adoptionOf(keys, tenant.id, person))
      .catch((error: unknown) =>
        this.log.error('a person has no key of their own yet; it is tried again', error, {
          tenant: tenant.id,
        }),
      )
      .finally(() => this.#adopting.delete(what));
  }
}

function subjectsOf(keys: TenantKeys, tenant: string, rows: readonly SubjectRow[]): Subject[] {
  return [...Map.groupBy(rows, ({ person }) => person)].map(([person, own]) => {
    const opened = own.map((row) => ({ row, kek: openSubjectKey(keys, tenant, row) }));
    return {
      person,
      current: opened.find(({ row }) => row.state === 'current')?.kek,
      byId: new Map(opened.map(({ row, kek }) => [hexOf(row.id), kek])),
      erased: own.every(({ state }) => state === 'destroyed'),
    };
  });
}

function finding(keys: TenantKeys, subjects: readonly Subject[]): FindKek {
  return (id) => {
    const own = keys.byId.get(id);
    if (own) return own;
    const subject = subjects.find(({ byId }) => byId.has(id));
    if (subject?.erased) throw new PersonErased();
    const kek = subject?.byId.get(id);
    if (!kek) throw new FieldUnreadable();
    return kek;
  };
}

const UUID = /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/;

/** Whoever acts is a person of the tenant only if this is so: an operator's id is no UUID. */
function isUuid(id: string): boolean {
  return UUID.test(id);
}
