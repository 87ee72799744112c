import { Injectable } from '@nestjs/common';
import type { FindOptionsWhere, ObjectLiteral } from 'typeorm';
import { currentTenant, TenantDatabase } from '../platform/database/index.js';
import { encryptedFieldsOf, type EncryptedField, type Lookup } from './encrypted.decorator.js';
import { blindIndexWith } from './field-encryption.js';
import { heldIndexKeys, lookUpHeld } from './held-index-keys.js';
import { KeyRing } from './key-ring.js';
import type { Open } from './openers.js';
import type { TenantKeys } from './tenant-keys.js';

type EntityClass<Entity> = new () => Entity;

/** Finds rows by the value of an encrypted column. */
@Injectable()
export class BlindLookup {
  constructor(
    private readonly database: TenantDatabase,
    private readonly keys: KeyRing,
  ) {}

  /** The row whose column has this value, in its canonical form; while index keys are replaced, by any of them. */
  async findOne<Entity extends ObjectLiteral>(
    entity: EntityClass<Entity>,
    property: keyof Entity & string,
    value: string,
  ): Promise<Entity | null> {
    const tenant = currentTenant();
    const repository = this.database.repository(entity);
    const where = this.#where(entity, property, repository.metadata.tableName, value);
    const held = heldIndexKeys(this.database);
    if (held) return repository.findOneBy(where(held));
    const keys = await this.keys.of(tenant);
    const found = await repository.findOneBy(where(keys));
    if (found) return found;
    // Not there; or there under an index key that another process has put in use, in place of the one that is known here.
    const now = await this.keys.reread(tenant);
    return now.rows === keys.rows ? null : repository.findOneBy(where(now));
  }

  /**
   * Looks up while the index keys are kept as they are until the end of the running transaction: what is not found is not
   * there, and need not be looked for by other keys. May look up a second time.
   */
  held<T>(lookUp: () => Promise<T>): Promise<T> {
    return lookUpHeld(this.database, this.keys, lookUp);
  }

  /** Of all rows that have this value, at most as many as said: what one of their columns has. Nothing sealed is read. */
  async select<Entity extends ObjectLiteral>(
    entity: EntityClass<Entity>,
    property: keyof Entity & string,
    value: string,
    { column = 'id', limit, within }: Selection,
  ): Promise<string[]> {
    const by = async ({ table, sealed, columns }: Indexed): Promise<string[]> => {
      const conditions = columns.map(
        ({ name }, at) =>
          `(${within ? `"${within.column}" = $1 AND ` : ''}"${name}" = $${at + (within ? 2 : 1)})`,
      );
      const rows = await this.database.query<{ found: string }>({
        name: `lookup_${table}_${sealed}_${slotsOf(columns)}`,
        text: `SELECT "${column}" AS found FROM "${table}" WHERE ${conditions.join(' OR ')} ORDER BY 1
          LIMIT $${columns.length + (within ? 2 : 1)}`,
        values: [...(within ? [within.value] : []), ...columns.map(({ index }) => index), limit],
      });
      return rows.map(({ found }) => found);
    };
    const indexed = await this.indexed(entity, property, value);
    const found = await by(indexed);
    if (found.length > 0) return found;
    const now = await indexed.anew();
    return now ? by(now) : [];
  }

  /** What stands in the columns of a blind index for a value, for whoever looks for it in a statement of their own. */
  async indexed<Entity extends ObjectLiteral>(
    entity: EntityClass<Entity>,
    property: keyof Entity & string,
    value: string,
  ): Promise<Indexed> {
    const tenant = currentTenant();
    const { tableName: table } = this.database.manager.connection.getMetadata(entity);
    const { column: sealed, lookup } = lookupOf(entity, property);
    const canonical = lookup.canonical(value);
    const under = (keys: TenantKeys, anew: Indexed['anew']): Indexed => {
      const indexes = indexesOf(keys, lookup, table, sealed, canonical);
      const columns = lookup.columns.flatMap((name, slot) => {
        const index = indexes[slot]?.[1];
        return index ? [{ name, slot, index }] : [];
      });
      return { table, sealed, columns, anew };
    };
    const never = (): Promise<undefined> => Promise.resolve(undefined);
    const held = heldIndexKeys(this.database);
    if (held) return under(held, never);
    const keys = this.keys.warm(tenant.id) ?? (await this.keys.of(tenant));
    return under(keys, async () => {
      const now = await this.keys.reread(tenant);
      return now.rows === keys.rows ? undefined : under(now, never);
    });
  }

  /**
   * As `findOne`, in the same steps whether or not there is such a row: for whoever must not be able to tell by the time
   * that it takes.
   */
  async findOneEvenly<Entity extends ObjectLiteral>(
    entity: EntityClass<Entity>,
    property: keyof Entity & string,
    value: string,
  ): Promise<Entity | null> {
    const found = await this.findOne(entity, property, value);
    // What `findOne` does where it finds nothing.
    if (found) await this.keys.reread(currentTenant());
    return found;
  }

  #where<Entity extends ObjectLiteral>(
    entity: EntityClass<Entity>,
    property: string,
    table: string,
    value: string,
  ): (keys: TenantKeys) => FindOptionsWhere<Entity>[] {
    const { column, lookup } = lookupOf(entity, property);
    const canonical = lookup.canonical(value);
    return (keys) =>
      indexesOf(keys, lookup, table, column, canonical).flatMap(([name, index]) =>
        index === null ? [] : [{ [name]: index } as FindOptionsWhere<Entity>],
      );
  }
}

/** Which of the rows that have a value, and what of them; always the same for one column. */
interface Selection {
  readonly column?: string;
  readonly limit: number;
  /** Where the index in the database begins with another column, what that column has. */
  readonly within?: { readonly column: string; readonly value: string };
}

/** A value as it is looked up: any of the columns has its index where a row has the value. */
export interface Indexed {
  readonly table: string;
  /** The encrypted column. */
  readonly sealed: string;
  readonly columns: readonly { readonly name: string; readonly slot: number; readonly index: Buffer }[];
  /** Where nothing is found by it: the same under index keys that another process has put in use, if one has. */
  readonly anew: () => Promise<Indexed | undefined>;
}

/** Which of the index's columns are filled: statements that differ by it have names that do. */
export function slotsOf(columns: Indexed['columns']): string {
  return columns.map(({ slot }) => slot).join('');
}

function lookupOf(entity: EntityClass<ObjectLiteral>, property: string): EncryptedField & { lookup: Lookup } {
  const field = encryptedFieldsOf(entity).find((one) => one.property === property);
  if (!field?.lookup) throw new Error(`${entity.name}.${property} has no blind index.`);
  return { ...field, lookup: field.lookup };
}

/** An encrypted field of a row, and which of its two indexes is meant. */
export interface IndexedField {
  readonly table: string;
  readonly field: EncryptedField & { readonly lookup: Lookup };
  readonly row: string;
  readonly slot: number;
}

/** The index of a stored value under the key that fills a slot. `open` opens the value. */
export function indexOf(
  { keys, open }: { readonly keys: TenantKeys; readonly open: Open },
  tenant: string,
  { table, field, row, slot }: IndexedField,
  stored: Buffer,
): Buffer {
  const key = keys.indexes.find((one) => one.slot === slot);
  if (!key) throw new Error('No index key fills this column.');
  const { column, lookup } = field;
  const opened = open({ tenant, table, column, row }, stored).toString('utf8');
  const value = String(JSON.parse(opened) as unknown);
  return blindIndexWith(key, table, column, lookup.canonical(value));
}

/** What stands in each of a lookup's two properties for a value: nothing where no key fills it. */
export function indexesOf(
  keys: TenantKeys,
  { properties }: Lookup,
  table: string,
  column: string,
  canonical: string,
): (readonly [property: string, index: Buffer | null])[] {
  return properties.map((property, slot) => {
    const key = keys.indexes.find((one) => one.slot === slot);
    return [property, key ? blindIndexWith(key, table, column, canonical) : null];
  });
}
