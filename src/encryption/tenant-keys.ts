import { createSecretKey, type KeyObject } from 'node:crypto';
import type { TenantRef } from '../platform/database/index.js';
import type { Kek, NamedKey } from './field-codec.js';
import { KeysDestroyed } from './key-errors.js';
import type { Kms } from './kms.js';
import { unwrapKey } from './wrapped-key.js';
import type { WrapCount } from './wrap-count.js';

/** Who keeps the key in the KMS: we, for the tenant, or the tenant itself. */
export type Custody = 'ours' | 'customer';

export type KeyPurpose = 'field' | 'index';

/**
 * `current`: in use. `opens`: a field key that seals no more. `filling`: an index key whose column is being filled.
 * `draining`: one whose column is being emptied. `retired`: nothing in the tenant's tables refers to it. `destroyed`: of
 * the key itself nothing is left.
 */
export type KeyState = 'current' | 'opens' | 'filling' | 'draining' | 'retired' | 'destroyed';

/** A row of `encryption_keys`. */
export interface KeyRow {
  readonly id: string;
  readonly purpose: KeyPurpose;
  readonly state: KeyState;
  /** Which of the two columns an index key fills. */
  readonly slot: number;
  /** Rises whenever another index key comes or goes: who writes an index holds it against what is in memory. */
  readonly revision: number;
  readonly kms_key_id: string;
  readonly custody: Custody;
  /** Whether the KMS is asked for each value. */
  readonly holds: boolean;
  /** By the KMS; null where only the field key wraps it. */
  readonly wrapped: Buffer | null;
  /** By the field key `wrapped_by`. */
  readonly inner_wrapped: Buffer | null;
  readonly wrapped_by: string | null;
  readonly created_at: Date;
}

export const KEY_ROWS = {
  text: `SELECT id, purpose, state, slot, revision, kms_key_id, custody, holds, wrapped, inner_wrapped, wrapped_by, created_at
    FROM encryption_keys ORDER BY id`,
  values: [],
};

/** A key of the blind indexes. */
export interface IndexKey {
  readonly id: string;
  readonly key: KeyObject;
  readonly slot: number;
}

/** A tenant's keys in memory. */
export interface TenantKeys {
  /** Seals new fields. */
  readonly current: Kek;
  /** How often it has sealed. */
  readonly wraps: WrapCount;
  /** Opens fields, by the KEK id in their header. */
  readonly byId: ReadonlyMap<string, Kek>;
  /** Key the blind indexes; all of them are written, a row is found by any. */
  readonly indexes: readonly IndexKey[];
  /** Of the current index key. */
  readonly indexRevision: { readonly id: string; readonly revision: number };
  /** The KMS key that wraps the current field key, and who keeps it. */
  readonly kmsKeyId: string;
  readonly custody: Custody;
  /** Whether the KMS itself wraps the data key of each new value. */
  readonly holds: boolean;
  /** The keys in the KMS that wrap data keys themselves, by the id in the header of what they hold. */
  readonly heldBy: ReadonlyMap<string, string>;
  /** The KMS key that was made for the tenant. */
  readonly ownKmsKeyId: string;
  /** The UUID of the current field key. */
  readonly currentId: string;
  /** Since when it is. */
  readonly since: Date;
  /** By what it is known whether the rows have changed. */
  readonly rows: string;
}

export type OpenedKeys = Omit<TenantKeys, 'wraps'> & {
  /** Keys that the KMS had to open although the current field key could: of an earlier version of this program. */
  readonly loose: readonly { readonly id: string; readonly purpose: KeyPurpose; readonly key: KeyObject }[];
};

/** Opens rows: one call to the KMS for the current field key, which opens the others. */
export async function openKeys(tenant: TenantRef, rows: readonly KeyRow[], kms: Kms): Promise<OpenedKeys> {
  const currentRow = currentField(tenant, rows);
  const current = { id: keyIdOf(currentRow.id), key: await byKms(tenant, currentRow, kms) };
  const byId = new Map<string, Kek>([[hexOf(currentRow.id), current]]);
  const indexes: IndexKey[] = [];
  const loose: { id: string; purpose: KeyPurpose; key: KeyObject }[] = [];
  for (const row of rows) {
    if (row === currentRow || (row.purpose === 'index' && !inUse(row))) continue;
    let key: KeyObject;
    if (row.wrapped_by === currentRow.id && row.inner_wrapped) {
      key = unwrapKey(current, { tenant: tenant.id, purpose: row.purpose, id: row.id }, row.inner_wrapped);
    } else {
      key = await byKms(tenant, row, kms);
      loose.push({ id: row.id, purpose: row.purpose, key });
    }
    if (row.purpose === 'field') byId.set(hexOf(row.id), { id: keyIdOf(row.id), key });
    else if (row.state === 'current') indexes.unshift({ id: row.id, key, slot: row.slot });
    else indexes.push({ id: row.id, key, slot: row.slot });
  }
  const index = rows.find(({ purpose, state }) => purpose === 'index' && state === 'current');
  if (!index) throw new Error(`Tenant ${tenant.id} has no index key.`);
  const indexRevision = { id: index.id, revision: index.revision };
  return {
    current,
    currentId: currentRow.id,
    byId,
    indexes,
    indexRevision,
    kmsKeyId: currentRow.kms_key_id,
    custody: currentRow.custody,
    holds: currentRow.holds,
    heldBy: new Map(rows.flatMap((row) => (row.holds ? [[hexOf(row.id), row.kms_key_id] as const] : []))),
    ownKmsKeyId: rows.findLast(({ custody }) => custody === 'ours')?.kms_key_id ?? '',
    since: currentRow.created_at,
    rows: fingerprintOf(rows),
    loose,
  };
}

/** Equal for rows that give the same keys. */
export function fingerprintOf(rows: readonly KeyRow[]): string {
  return rows
    .map((row) => [row.id, row.state, row.slot, row.revision, row.kms_key_id, row.wrapped_by].join(' '))
    .join('\n');
}

/** A key as the KMS has wrapped it is bound to its tenant and purpose. */
export function kmsContext(tenant: TenantRef, purpose: KeyPurpose): Record<string, string> {
  return { tenant: tenant.id, purpose };
}

/** The 16 bytes by which stored values name a key. */
export function keyIdOf(uuid: string): Buffer {
  return Buffer.from(hexOf(uuid), 'hex');
}

export function uuidOf(id: Buffer): string {
  const hex = id.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

export function hexOf(uuid: string): string {
  return uuid.replaceAll('-', '');
}

export function named(id: string, key: KeyObject): NamedKey {
  return { id: keyIdOf(id), key };
}

function currentField(tenant: TenantRef, rows: readonly KeyRow[]): KeyRow {
  if (rows.some(({ state }) => state === 'destroyed')) throw new KeysDestroyed();
  const row = rows.find(({ purpose, state }) => purpose === 'field' && state === 'current');
  if (!row) throw new Error(`Tenant ${tenant.id} has no encryption keys.`);
  return row;
}

/** A draining index is neither written nor looked up: who empties it needs no key. */
function inUse({ state }: KeyRow): boolean {
  return state === 'current' || state === 'filling';
}

async function byKms(tenant: TenantRef, row: KeyRow, kms: Kms): Promise<KeyObject> {
  if (!row.wrapped) throw new Error(`Key ${row.id} of tenant ${tenant.id} is wrapped by nothing.`);
  const plaintext = await kms.decrypt(row.kms_key_id, row.wrapped, kmsContext(tenant, row.purpose));
  const key = createSecretKey(plaintext);
  plaintext.fill(0);
  return key;
}
