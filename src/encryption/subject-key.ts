import { createSecretKey, randomBytes } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import type { Statement } from '../platform/database/index.js';
import { FieldUnreadable, type Kek } from './field-codec.js';
import { hexOf, named, type TenantKeys } from './tenant-keys.js';
import { unwrapKey, wrapKey, type KeyPlace } from './wrapped-key.js';

/** A row of `subject_keys`. `opens`: seals no more. `destroyed`: nothing is left of the key, for the person was erased. */
export interface SubjectRow {
  readonly id: string;
  readonly person: string;
  readonly state: 'current' | 'opens' | 'destroyed';
  /** By the tenant's field key `wrapped_by`. */
  readonly wrapped: Buffer | null;
  readonly wrapped_by: string | null;
}

export interface NewSubjectKey {
  readonly id: string;
  readonly kek: Kek;
  readonly wrapped: Buffer;
}

export function newSubjectKey(keys: TenantKeys, tenant: string, person: string): NewSubjectKey {
  const id = uuidv7();
  const bytes = randomBytes(32);
  keys.wraps.take();
  const wrapped = wrapKey(keys.current, placeOf(tenant, { id, person }), bytes);
  const kek = named(id, createSecretKey(bytes));
  bytes.fill(0);
  return { id, kek, wrapped };
}

/** The key of a row; undefined where it was destroyed, or does not open. */
export function openSubjectKey(keys: TenantKeys, tenant: string, row: SubjectRow): Kek | undefined {
  const by = keys.byId.get(hexOf(row.wrapped_by ?? ''));
  if (!by || !row.wrapped) return undefined;
  try {
    return named(row.id, unwrapKey(by, placeOf(tenant, row), row.wrapped));
  } catch (error) {
    if (error instanceof FieldUnreadable) return undefined;
    throw error;
  }
}

/** The same key under the tenant's current field key. */
export function rewrapSubjectKey(keys: TenantKeys, tenant: string, row: SubjectRow): Buffer | undefined {
  const kek = openSubjectKey(keys, tenant, row);
  if (!kek) return undefined;
  const bytes = kek.key.export();
  keys.wraps.take();
  const wrapped = wrapKey(keys.current, placeOf(tenant, row), bytes);
  bytes.fill(0);
  return wrapped;
}

/** Gives a person a key who has none: nobody who is not there or was erased, however this meets an erasure. */
export function adoptionOf(keys: TenantKeys, tenant: string, person: string): Statement {
  const { id, wrapped } = newSubjectKey(keys, tenant, person);
  return {
    text: `INSERT INTO subject_keys (id, person, wrapped, wrapped_by)
      SELECT $1, u.id, $3, $4 FROM users u WHERE u.id = $2 AND u.status <> 'erased'
        AND NOT EXISTS (SELECT 1 FROM subject_keys s WHERE s.person = u.id) FOR KEY SHARE OF u
      ON CONFLICT DO NOTHING`,
    values: [id, person, wrapped, keys.currentId],
  };
}

/** A person's key is bound to the person: another's row does not take it. */
function placeOf(tenant: string, { id, person }: Pick<SubjectRow, 'id' | 'person'>): KeyPlace {
  return { tenant, purpose: `subject ${person}`, id };
}
