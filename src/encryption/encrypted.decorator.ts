import { Column, getMetadataArgsStorage } from 'typeorm';
import { Sealed } from './sealed.js';

export interface EncryptedOptions {
  /** The column's name where it differs from the property's. */
  readonly name?: string;
  readonly nullable?: boolean;
  /** Its rows are persons: a value is sealed under the key of the person whose id is its row's. */
  readonly ofPerson?: boolean;
  /**
   * Adds blind indexes in the columns `<name>_index` and `<name>_index_alt`, for finding rows by this value; the
   * function gives its canonical form. There are two, so that one is filled under a new key while the other is in use.
   */
  readonly lookup?: (value: string) => string;
}

/** The two places of a blind index; an index key says which of them it fills. */
export interface Lookup {
  readonly properties: readonly [string, string];
  readonly columns: readonly [string, string];
  readonly canonical: (value: string) => string;
}

export interface EncryptedField {
  readonly property: string;
  readonly column: string;
  readonly ofPerson: boolean;
  readonly lookup?: Lookup;
}

const fields = new Map<object, EncryptedField[]>();

/** Encrypts a column of type `Sealed<...>`; with `lookup`, its rows can be found by `BlindLookup`. */
export function Encrypted(options: EncryptedOptions = {}): PropertyDecorator {
  return (target, key) => {
    const property = String(key);
    const column = options.name ?? property;
    Column({
      type: 'bytea',
      name: column,
      nullable: options.nullable ?? false,
      transformer: {
        to: (value: Sealed<unknown> | null | undefined) => value?.ciphertext() ?? value,
        from: (bytes: Buffer | null) => (bytes === null ? null : Sealed.stored(bytes)),
      },
    })(target, key);
    const lookup = options.lookup && lookupOf(property, column, options.lookup);
    for (const slot of lookup ? ([0, 1] as const) : [])
      Column({ type: 'bytea', name: lookup?.columns[slot], nullable: true })(
        target,
        lookup?.properties[slot] ?? '',
      );
    const known = fields.get(target.constructor) ?? [];
    fields.set(target.constructor, [
      ...known,
      { property, column, ofPerson: options.ofPerson ?? false, lookup },
    ]);
  };
}

function lookupOf(property: string, column: string, canonical: Lookup['canonical']): Lookup {
  return {
    properties: [`${property}Index`, `${property}IndexAlt`],
    columns: [`${column}_index`, `${column}_index_alt`],
    canonical,
  };
}

export function encryptedFieldsOf(entity: object): readonly EncryptedField[] {
  return fields.get(entity) ?? [];
}

/** Every encrypted field of the application with its table. */
export function encryptedFields(): { readonly table: string; readonly field: EncryptedField }[] {
  const { tables } = getMetadataArgsStorage();
  return [...fields].flatMap(([entity, list]) => {
    const table = tables.find(({ target }) => target === entity)?.name;
    if (table === undefined) throw new Error(`${(entity as { name: string }).name} names no table.`);
    return list.map((field) => ({ table, field }));
  });
}

/** Every encrypted column of the application, as `Entity.column`. */
export function encryptedColumns(): string[] {
  return [...fields].flatMap(([entity, list]) =>
    list.map((field) => `${(entity as { name: string }).name}.${field.column}`),
  );
}
