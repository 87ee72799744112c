import type {
  EntityMetadata,
  EntitySubscriberInterface,
  InsertEvent,
  LoadEvent,
  ObjectLiteral,
  UpdateEvent,
} from 'typeorm';
import { currentTenant, type TenantDatabase, type TenantRef } from '../platform/database/index.js';
import { indexesOf } from './blind-lookup.js';
import { encryptedFieldsOf, type EncryptedField } from './encrypted.decorator.js';
import { sealUnder, type FieldEncryption } from './field-encryption.js';
import type { FieldPlace } from './field-place.js';
import { holdIndexKeys } from './held-index-keys.js';
import type { KeyRing } from './key-ring.js';
import type { Open, Openers } from './openers.js';
import { Sealed } from './sealed.js';
import type { SubjectKeys } from './subject-keys.js';
import type { TenantKeys } from './tenant-keys.js';

/** Seals encrypted columns before SQL is built, and gives loaded ones the means to open themselves. */
export class EncryptionSubscriber implements EntitySubscriberInterface {
  constructor(
    private readonly keys: KeyRing,
    private readonly subjects: SubjectKeys,
    private readonly openers: Openers,
    private readonly fields: FieldEncryption,
    private readonly database: TenantDatabase,
  ) {}

  beforeInsert(event: InsertEvent<ObjectLiteral>): Promise<void> | void {
    return this.seal(event.metadata, event.entity);
  }

  beforeUpdate(event: UpdateEvent<ObjectLiteral>): Promise<void> | void {
    return this.seal(event.metadata, event.entity);
  }

  afterLoad(entity: ObjectLiteral, event?: LoadEvent<ObjectLiteral>): Promise<void> | void {
    const values = event ? storedValues(event.metadata, entity) : [];
    if (!event || values.length === 0) return;
    const tenant = currentTenant();
    const bind = (open: Open): void => {
      for (const { field, value } of values) {
        const place = placeOf(tenant.id, event.metadata, field, entity);
        value.bind((bytes) => JSON.parse(open(place, bytes).toString('utf8')) as unknown);
      }
    };
    const stored = values.map(({ bytes }) => bytes);
    const warm = this.openers.warm(tenant.id, stored);
    if (warm) return bind(warm);
    const { tableName: table } = event.metadata;
    const placed = values.map(({ field: { column }, bytes }) => ({ table, column, bytes }));
    return this.openers.of(tenant, placed).then(bind);
  }

  /** Seals what of a row is on its way in. */
  seal(metadata: EntityMetadata, entity: ObjectLiteral | undefined): Promise<void> | void {
    const fields = entity ? plainFields(metadata, entity) : [];
    if (!entity || fields.length === 0) return;
    const tenant = currentTenant();
    const indexed = fields.some(({ field }) => field.lookup);
    const keys = this.keys.warm(tenant.id);
    if (keys && !keys.holds && !indexed && fields.every(({ person }) => person === undefined)) {
      for (const { field, value } of fields) {
        const place = placeOf(tenant.id, metadata, field, entity);
        value.seal((plain) => sealUnder(keys, keys.current, place, bytesOf(plain)));
      }
      return;
    }
    const held = indexed ? holdIndexKeys(this.database, this.keys) : this.keys.of(tenant);
    return held.then((known) => this.#sealAll({ metadata, entity, tenant, keys: known }, fields));
  }

  async #sealAll({ metadata, entity, tenant, keys }: Sealing, fields: readonly PlainField[]): Promise<void> {
    for (const { field, value, person } of fields) {
      const place = placeOf(tenant.id, metadata, field, entity);
      const kek = person === undefined ? keys.current : await this.subjects.sealing(keys, tenant, person);
      const plain = value.reveal();
      const sealed = await this.fields.seal(tenant, keys, kek, place, bytesOf(plain));
      value.seal(() => sealed);
      if (!field.lookup) continue;
      const canonical = field.lookup.canonical(String(plain));
      const indexes = indexesOf(keys, field.lookup, metadata.tableName, field.column, canonical);
      for (const [property, index] of indexes) entity[property] = index;
    }
  }
}

interface FieldValue {
  readonly field: EncryptedField;
  readonly value: Sealed<unknown>;
}

interface PlainField extends FieldValue {
  /** Whose it is. */
  readonly person: string | undefined;
}

/** A row that is about to be written. */
interface Sealing {
  readonly metadata: EntityMetadata;
  readonly entity: ObjectLiteral;
  readonly tenant: TenantRef;
  readonly keys: TenantKeys;
}

function fieldsOf(metadata: EntityMetadata): readonly EncryptedField[] {
  return typeof metadata.target === 'function' ? encryptedFieldsOf(metadata.target) : [];
}

function bytesOf(plain: unknown): Buffer {
  return Buffer.from(JSON.stringify(plain));
}

/** Values on their way in. */
function plainFields(metadata: EntityMetadata, entity: ObjectLiteral): PlainField[] {
  return fieldsOf(metadata).flatMap((field) => {
    const value: unknown = entity[field.property];
    if (!(value instanceof Sealed) || !value.isPlain) return [];
    return [{ field, value, person: field.ofPerson ? rowOf(metadata, entity) : value.person }];
  });
}

/** Values as they were loaded. */
function storedValues(
  metadata: EntityMetadata,
  entity: ObjectLiteral,
): (FieldValue & { readonly bytes: Buffer })[] {
  return fieldsOf(metadata).flatMap((field) => {
    const value: unknown = entity[field.property];
    const bytes = value instanceof Sealed ? value.bytes : undefined;
    return value instanceof Sealed && bytes ? [{ field, value, bytes }] : [];
  });
}

function placeOf(
  tenant: string,
  metadata: EntityMetadata,
  field: EncryptedField,
  entity: ObjectLiteral,
): FieldPlace {
  return { tenant, table: metadata.tableName, column: field.column, row: rowOf(metadata, entity) };
}

function rowOf(metadata: EntityMetadata, entity: ObjectLiteral): string {
  const row: unknown = entity['id'];
  if (typeof row !== 'string') throw new Error(`${metadata.name} needs its id before it is encrypted.`);
  return row;
}
