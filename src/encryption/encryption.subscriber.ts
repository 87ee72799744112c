import type {
  EntityMetadata,
  EntitySubscriberInterface,
  InsertEvent,
  LoadEvent,
  ObjectLiteral,
  UpdateEvent,
} from 'typeorm';
import { currentTenant, type TenantDatabase } from '../platform/database/index.js';
import { indexesOf } from './blind-lookup.js';
import { encryptedFieldsOf, type EncryptedField } from './encrypted.decorator.js';
import { kekIdOf } from './field-codec.js';
import { openWith, sealWith } from './field-encryption.js';
import type { KeyRing } from './key-ring.js';
import { Sealed } from './sealed.js';
import type { TenantKeys } from './tenant-keys.js';

/** A transition of index keys takes milliseconds; one after the other would have to be met as often as this. */
const INDEX_KEY_TRIES = 3;

/** Seals encrypted columns before SQL is built, and gives loaded ones the means to open themselves. */
export class EncryptionSubscriber implements EntitySubscriberInterface {
  constructor(
    private readonly keys: KeyRing,
    private readonly database: TenantDatabase,
  ) {}

  beforeInsert(event: InsertEvent<ObjectLiteral>): Promise<void> | void {
    return this.#seal(event.metadata, event.entity);
  }

  beforeUpdate(event: UpdateEvent<ObjectLiteral>): Promise<void> | void {
    return this.#seal(event.metadata, event.entity);
  }

  afterLoad(entity: ObjectLiteral, event?: LoadEvent<ObjectLiteral>): Promise<void> | void {
    const values = event ? storedValues(event.metadata, entity) : [];
    if (!event || values.length === 0) return;
    const tenant = currentTenant();
    const bind = (keys: TenantKeys): void => {
      for (const { field, value } of values) {
        const place = placeOf(event.metadata, field, entity);
        value.bind((bytes) => openWith(keys, tenant.id, place, bytes));
      }
    };
    const warm = this.keys.warm(tenant.id);
    const ids = values.map(({ id }) => id);
    if (warm && ids.every((id) => id === undefined || warm.byId.has(id))) return bind(warm);
    const known = ids.filter((id) => id !== undefined);
    return this.keys.opening(tenant, known).then(bind);
  }

  #seal(metadata: EntityMetadata, entity: ObjectLiteral | undefined): Promise<void> | void {
    const fields = entity ? plainFields(metadata, entity) : [];
    if (!entity || fields.length === 0) return;
    const tenant = currentTenant();
    const seal = (keys: TenantKeys): void => {
      for (const { field, value } of fields) {
        value.seal((plain) => sealWith(keys, tenant.id, placeOf(metadata, field, entity), plain));
        if (!field.lookup) continue;
        const canonical = field.lookup.canonical(String(value.reveal()));
        const indexes = indexesOf(keys, field.lookup, metadata.tableName, field.column, canonical);
        for (const [property, index] of indexes) entity[property] = index;
      }
    };
    if (fields.some(({ field }) => field.lookup)) return this.#indexKeysHeld().then(seal);
    const warm = this.keys.warm(tenant.id);
    return warm ? seal(warm) : this.keys.of(tenant).then(seal);
  }

  /**
   * The keys with which an index is written now. Their row is locked until the end of the transaction: which columns are
   * filled changes before it or after it, and a process that has not heard of a change does not write by what it knew.
   */
  async #indexKeysHeld(): Promise<TenantKeys> {
    const tenant = currentTenant();
    let keys = await this.keys.of(tenant);
    for (let tries = 0; tries < INDEX_KEY_TRIES; tries += 1) {
      const [row] = await this.database.query<{ id: string; revision: number }>({
        name: 'index_key',
        text: `SELECT id, revision FROM encryption_keys WHERE purpose = 'index' AND state = 'current' FOR SHARE`,
        values: [],
      });
      const { id, revision } = keys.indexRevision;
      if (row?.id === id && row.revision === revision) return keys;
      keys = await this.keys.reread(tenant);
    }
    throw new Error('The index keys of the tenant changed again and again.');
  }
}

interface FieldValue {
  readonly field: EncryptedField;
  readonly value: Sealed<unknown>;
}

function fieldsOf(metadata: EntityMetadata): readonly EncryptedField[] {
  return typeof metadata.target === 'function' ? encryptedFieldsOf(metadata.target) : [];
}

/** Values on their way in. */
function plainFields(metadata: EntityMetadata, entity: ObjectLiteral): FieldValue[] {
  return fieldsOf(metadata).flatMap((field) => {
    const value: unknown = entity[field.property];
    return value instanceof Sealed && value.isPlain ? [{ field, value }] : [];
  });
}

/** Values as they were loaded, with the id of the key that each needs; a damaged one says so when it is opened. */
function storedValues(
  metadata: EntityMetadata,
  entity: ObjectLiteral,
): (FieldValue & { readonly id: string | undefined })[] {
  return fieldsOf(metadata).flatMap((field) => {
    const value: unknown = entity[field.property];
    const bytes = value instanceof Sealed ? value.ciphertext() : undefined;
    return value instanceof Sealed && Buffer.isBuffer(bytes) ? [{ field, value, id: idOf(bytes) }] : [];
  });
}

function idOf(bytes: Buffer): string | undefined {
  try {
    return kekIdOf(bytes);
  } catch {
    return undefined;
  }
}

function placeOf(metadata: EntityMetadata, field: EncryptedField, entity: ObjectLiteral) {
  const row: unknown = entity['id'];
  if (typeof row !== 'string') throw new Error(`${metadata.name} needs its id before it is encrypted.`);
  return { table: metadata.tableName, column: field.column, row };
}
