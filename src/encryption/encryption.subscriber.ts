import type {
  EntityMetadata,
  EntitySubscriberInterface,
  InsertEvent,
  LoadEvent,
  ObjectLiteral,
  UpdateEvent,
} from 'typeorm';
import { currentTenant } from '../platform/database/index.js';
import { encryptedFieldsOf, type EncryptedField } from './encrypted.decorator.js';
import { blindIndexWith, openWith, sealWith } from './field-encryption.js';
import type { KeyRing, TenantKeys } from './key-ring.js';
import { Sealed } from './sealed.js';

/** Seals encrypted columns before SQL is built, and gives loaded ones the means to open themselves. */
export class EncryptionSubscriber implements EntitySubscriberInterface {
  constructor(private readonly keys: KeyRing) {}

  beforeInsert(event: InsertEvent<ObjectLiteral>): Promise<void> | void {
    return this.#seal(event.metadata, event.entity);
  }

  beforeUpdate(event: UpdateEvent<ObjectLiteral>): Promise<void> | void {
    return this.#seal(event.metadata, event.entity);
  }

  afterLoad(entity: ObjectLiteral, event?: LoadEvent<ObjectLiteral>): Promise<void> | void {
    const fields = event ? fieldsOf(event.metadata) : [];
    if (!event || fields.length === 0) return;
    const tenant = currentTenant();
    const bind = (keys: TenantKeys): void => {
      for (const field of fields) {
        const value: unknown = entity[field.property];
        const place = placeOf(event.metadata, field, entity);
        if (value instanceof Sealed) value.bind((bytes) => openWith(keys, tenant.id, place, bytes));
      }
    };
    const warm = this.keys.warm(tenant.id);
    return warm ? bind(warm) : this.keys.of(tenant).then(bind);
  }

  #seal(metadata: EntityMetadata, entity: ObjectLiteral | undefined): Promise<void> | void {
    const fields = fieldsOf(metadata);
    if (!entity || fields.length === 0) return;
    const tenant = currentTenant();
    const seal = (keys: TenantKeys): void => {
      for (const field of fields) {
        const value: unknown = entity[field.property];
        if (!(value instanceof Sealed)) continue;
        value.seal((plain) => sealWith(keys, tenant.id, placeOf(metadata, field, entity), plain));
        if (field.lookup) {
          const canonical = field.lookup.canonical(String(value.reveal()));
          entity[field.lookup.property] = blindIndexWith(keys, metadata.tableName, field.column, canonical);
        }
      }
    };
    const warm = this.keys.warm(tenant.id);
    return warm ? seal(warm) : this.keys.of(tenant).then(seal);
  }
}

function fieldsOf(metadata: EntityMetadata): readonly EncryptedField[] {
  return typeof metadata.target === 'function' ? encryptedFieldsOf(metadata.target) : [];
}

function placeOf(metadata: EntityMetadata, field: EncryptedField, entity: ObjectLiteral) {
  const row: unknown = entity['id'];
  if (typeof row !== 'string') throw new Error(`${metadata.name} needs its id before it is encrypted.`);
  return { table: metadata.tableName, column: field.column, row };
}
