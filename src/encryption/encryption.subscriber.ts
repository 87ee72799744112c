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
import { kekIdOf, type Kek } from './field-codec.js';
import { openWith, sealWith } from './field-encryption.js';
import type { FieldPlace } from './field-place.js';
import type { KeyRing } from './key-ring.js';
import { Sealed } from './sealed.js';
import type { FindKek, SubjectKeys } from './subject-keys.js';
import type { TenantKeys } from './tenant-keys.js';

/** A transition of index keys takes milliseconds; one after the other would have to be met as often as this. */
const INDEX_KEY_TRIES = 3;

/** Seals encrypted columns before SQL is built, and gives loaded ones the means to open themselves. */
export class EncryptionSubscriber implements EntitySubscriberInterface {
  constructor(
    private readonly keys: KeyRing,
    private readonly subjects: SubjectKeys,
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
    const bind = (find: FindKek): void => {
      for (const { field, value } of values) {
        const place = placeOf(tenant.id, event.metadata, field, entity);
        value.bind((bytes) => openWith(find, place, bytes));
      }
    };
    const ids = values.flatMap(({ id }) => id ?? []);
    const keys = this.keys.warm(tenant.id);
    const warm = keys && this.subjects.openingWarm(keys, tenant.id, ids);
    return warm ? bind(warm) : this.subjects.opening(tenant, ids).then(bind);
  }

  #seal(metadata: EntityMetadata, entity: ObjectLiteral | undefined): Promise<void> | void {
    const fields = entity ? plainFields(metadata, entity) : [];
    if (!entity || fields.length === 0) return;
    const tenant = currentTenant();
    const seal = (keys: TenantKeys, keks: ReadonlyMap<string, Kek>): void => {
      for (const { field, value, person } of fields) {
        const place = placeOf(tenant.id, metadata, field, entity);
        const kek = keks.get(person ?? '') ?? keys.current;
        value.seal((plain) => sealWith(keys, kek, place, plain));
        if (!field.lookup) continue;
        const canonical = field.lookup.canonical(String(value.reveal()));
        const indexes = indexesOf(keys, field.lookup, metadata.tableName, field.column, canonical);
        for (const [property, index] of indexes) entity[property] = index;
      }
    };
    const persons = [...new Set(fields.flatMap(({ person }) => person ?? []))];
    const warm = this.keys.warm(tenant.id);
    if (warm && persons.length === 0 && !fields.some(({ field }) => field.lookup))
      return seal(warm, new Map());
    const keys = fields.some(({ field }) => field.lookup) ? this.#indexKeysHeld() : this.keys.of(tenant);
    return keys.then(async (held) => seal(held, await this.#keysOf(held, tenant, persons)));
  }

  async #keysOf(
    keys: TenantKeys,
    tenant: TenantRef,
    persons: readonly string[],
  ): Promise<ReadonlyMap<string, Kek>> {
    const known = persons.map(
      async (person) =>
        [
          person,
          this.subjects.warm(keys, tenant.id, person) ?? (await this.subjects.sealing(keys, tenant, person)),
        ] as const,
    );
    return new Map(await Promise.all(known));
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

/** Values on their way in, and whose they are. */
function plainFields(
  metadata: EntityMetadata,
  entity: ObjectLiteral,
): (FieldValue & { readonly person: string | undefined })[] {
  return fieldsOf(metadata).flatMap((field) => {
    const value: unknown = entity[field.property];
    if (!(value instanceof Sealed) || !value.isPlain) return [];
    return [{ field, value, person: field.ofPerson ? rowOf(metadata, entity) : value.person }];
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
