import { createSecretKey, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Statement, TenantRef } from '../platform/database/index.js';
import type { NamedKey } from './field-codec.js';
import { KeyRing } from './key-ring.js';
import { CellKms } from './kms.js';
import { hexOf, kmsContext, named, uuidOf, type Custody, type TenantKeys } from './tenant-keys.js';
import { wrapKey } from './wrapped-key.js';

/** A key in the KMS. */
export interface KmsKey {
  readonly kmsKeyId: string;
  readonly custody: Custody;
  /** Whether it is asked for each value; only of a customer's. */
  readonly holds?: boolean;
}

/** What brings a new version into use. */
export interface NewKeyVersion {
  /** To be run in one transaction, in this order. */
  readonly statements: readonly Statement[];
  /** `TenantKeys.rows` as they were: what `KeyRing.lock` answers must still be the same. */
  readonly before: string;
}

/** Makes the next version of a tenant's keys: a field key that the KMS wraps and that wraps the others, and an index key. */
@Injectable()
export class NewKeyVersions {
  constructor(
    private readonly keys: KeyRing,
    private readonly kms: CellKms,
  ) {}

  /**
   * Undefined where the tenant's current field key has this id (a UUID version 7) already.
   * @param under the key in the KMS that wraps it from now on; the present one without it
   */
  async next(
    tenant: TenantRef,
    id: string,
    index: string,
    under?: KmsKey,
  ): Promise<NewKeyVersion | undefined> {
    const known = await this.keys.reread(tenant);
    if (known.byId.has(hexOf(id))) return undefined;
    const kms = this.kms.of(tenant.cell);
    const { kmsKeyId, custody, holds = false } = under ?? known;
    const made = await kms.generateDataKey(kmsKeyId, kmsContext(tenant, 'field'));
    const current = named(id, createSecretKey(made.plaintext));
    made.plaintext.fill(0);
    return {
      before: known.rows,
      statements: [
        {
          text: `UPDATE encryption_keys SET state = 'opens' WHERE purpose = 'field' AND state = 'current'`,
          values: [],
        },
        {
          text: `INSERT INTO encryption_keys (id, purpose, kms_key_id, custody, holds, wrapped) VALUES ($1, 'field', $2, $3, $4, $5)`,
          values: [id, kmsKeyId, custody, holds, made.wrapped],
        },
        ...wrappedAnew(tenant, known, current, id),
        ...nextIndex(tenant, known, current, { field: id, index }),
        ...(custody === 'ours' && known.custody === 'ours' ? [] : [onlyByTheNewOne(id)]),
      ],
    };
  }
}

/** Whoever keeps the key above the new one, keeps all: nothing else opens the older ones. */
function onlyByTheNewOne(id: string): Statement {
  return {
    text: 'UPDATE encryption_keys SET wrapped = NULL WHERE id <> $1 AND inner_wrapped IS NOT NULL',
    values: [id],
  };
}

/** The keys that there are, wrapped by the new one: opening a tenant's keys costs one call to the KMS, however many there are. */
function wrappedAnew(tenant: TenantRef, known: TenantKeys, current: NamedKey, by: string): Statement[] {
  const older = [...known.byId.values()].map(({ id, key }) => ({ id: uuidOf(id), purpose: 'field', key }));
  const indexes = known.indexes.map(({ id, key }) => ({ id, purpose: 'index', key }));
  return [...older, ...indexes].map(({ id, purpose, key }) => {
    const bytes = key.export();
    const inner = wrapKey(current, { tenant: tenant.id, purpose, id }, bytes);
    bytes.fill(0);
    return {
      text: 'UPDATE encryption_keys SET inner_wrapped = $2, wrapped_by = $3 WHERE id = $1',
      values: [id, inner, by],
    };
  });
}

/** A new index key, beside the one in use; none where one is being filled already. */
function nextIndex(
  tenant: TenantRef,
  known: TenantKeys,
  current: NamedKey,
  ids: { readonly field: string; readonly index: string },
): Statement[] {
  const [inUse, filling] = known.indexes;
  if (!inUse || filling) return [];
  const key = randomBytes(32);
  const inner = wrapKey(current, { tenant: tenant.id, purpose: 'index', id: ids.index }, key);
  key.fill(0);
  return [
    {
      text: `INSERT INTO encryption_keys (id, purpose, state, slot, kms_key_id, inner_wrapped, wrapped_by)
        VALUES ($1, 'index', 'filling', $2, $3, $4, $5)`,
      values: [ids.index, 1 - inUse.slot, known.ownKmsKeyId, inner, ids.field],
    },
    { text: 'UPDATE encryption_keys SET revision = revision + 1 WHERE id = $1', values: [inUse.id] },
  ];
}
