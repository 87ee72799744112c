import { Injectable } from '@nestjs/common';
import {
  adoptionOf,
  KeyRing,
  newSubjectKey,
  rewrapSubjectKey,
  type SubjectRow,
  type TenantKeys,
} from '../encryption/index.js';
import type { OperationData, StepResult } from '../operations/index.js';
import { TenantDatabase, type TenantRef } from '../platform/database/index.js';
import { UnitOfWork } from '../requests/index.js';

const PAGE_ROWS = 200;
const WHY = 'keys of persons, under the new key; the rotation is the event';

/** Keys that were rewrapped, and persons who have a new one to seal with. */
interface Rewrapped {
  readonly rewrapped: number;
  readonly renewed: number;
}

type Row = SubjectRow & { readonly wrapped_by: string };

/**
 * Brings the keys of persons under the tenant's current key: what those have sealed stays as it is, however much that is.
 * Each gets a successor that seals from now on, so that none seals more than the tenant's own key may. Persons of before,
 * who have no key, get their first.
 */
@Injectable()
export class RewrapPersons {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly keys: KeyRing,
  ) {}

  /** A page; again until there is nobody left. */
  async step(tenant: TenantRef, data: OperationData, next: string, signal: AbortSignal): Promise<StepResult> {
    const keys = await this.keys.reread(tenant);
    const persons = Number(data['persons'] ?? 0);
    const adopted = await this.#adopt(tenant, keys);
    signal.throwIfAborted();
    const { rewrapped, renewed } = await this.#rewrap(tenant, keys);
    return adopted + rewrapped === 0
      ? { next, data }
      : { again: 0, data: { ...data, persons: persons + renewed } };
  }

  /** Ids are in the order of time: who was added since the key is there has a key as well. */
  async #adopt(tenant: TenantRef, keys: TenantKeys): Promise<number> {
    const without = await this.#read<{ id: string }>(
      tenant,
      `SELECT u.id FROM users u WHERE u.id < $1 AND u.status <> 'erased'
         AND NOT EXISTS (SELECT 1 FROM subject_keys s WHERE s.person = u.id) ORDER BY u.id LIMIT ${PAGE_ROWS}`,
      [keys.currentId],
    );
    await this.#write(tenant, without.length, async () => {
      for (const { id } of without) await this.database.query(adoptionOf(keys, tenant.id, id));
    });
    return without.length;
  }

  async #rewrap(tenant: TenantRef, keys: TenantKeys): Promise<Rewrapped> {
    const rows = await this.#read<Row>(
      tenant,
      `SELECT id, person, state, wrapped, wrapped_by FROM subject_keys
       WHERE wrapped_by < $1 ORDER BY wrapped_by, id LIMIT ${PAGE_ROWS}`,
      [keys.currentId],
    );
    let done: Rewrapped = { rewrapped: 0, renewed: 0 };
    await this.#write(tenant, rows.length, async () => {
      done = await this.#replace(tenant, keys, rows);
    });
    return done;
  }

  async #replace(tenant: TenantRef, keys: TenantKeys, rows: readonly Row[]): Promise<Rewrapped> {
    // Who is erased meanwhile waits for this, or is not met by it.
    const living = await this.database.query<{ id: string }>({
      text: `SELECT id FROM users WHERE id = ANY ($1) AND status <> 'erased' ORDER BY id FOR KEY SHARE`,
      values: [[...new Set(rows.map(({ person }) => person))]],
    });
    const known = new Set(living.map(({ id }) => id));
    const anew = rows.flatMap((row) => {
      const wrapped = known.has(row.person) ? rewrapSubjectKey(keys, tenant.id, row) : undefined;
      return wrapped ? [{ ...row, wrapped }] : [];
    });
    const replaced = await this.database.query<{ person: string; was: string }>({
      text: `UPDATE subject_keys s SET wrapped = n.wrapped, wrapped_by = $4, state = 'opens'
        FROM unnest($1::uuid[], $2::bytea[], $3::uuid[], $5::text[]) AS n(id, wrapped, by, was)
        WHERE s.id = n.id AND s.wrapped_by = n.by RETURNING s.person, n.was`,
      values: [
        anew.map(({ id }) => id),
        anew.map(({ wrapped }) => wrapped),
        anew.map(({ wrapped_by: by }) => by),
        keys.currentId,
        anew.map(({ state }) => state),
      ],
    });
    const sealing = replaced.filter(({ was }) => was === 'current').map(({ person }) => person);
    const next = sealing.map((person) => ({ person, ...newSubjectKey(keys, tenant.id, person) }));
    await this.database.query({
      text: `INSERT INTO subject_keys (id, person, wrapped, wrapped_by)
        SELECT n.id, n.person, n.wrapped, $4 FROM unnest($1::uuid[], $2::uuid[], $3::bytea[]) AS n(id, person, wrapped)`,
      values: [
        next.map(({ id }) => id),
        next.map(({ person }) => person),
        next.map(({ wrapped }) => wrapped),
        keys.currentId,
      ],
    });
    return { rewrapped: replaced.length, renewed: next.length };
  }

  #read<Found extends object>(tenant: TenantRef, text: string, values: readonly unknown[]): Promise<Found[]> {
    return this.database.within(tenant, () =>
      this.database.query<Found & Record<string, unknown>>({ text, values }),
    );
  }

  async #write(tenant: TenantRef, rows: number, work: () => Promise<void>): Promise<void> {
    if (rows > 0) await this.database.within(tenant, () => this.work.bookkeeping(WHY, work));
  }
}
