import { Column } from 'typeorm';
import { Sealed } from './sealed.js';

export interface EncryptedOptions {
  /** The column's name where it differs from the property's. */
  readonly name?: string;
  readonly nullable?: boolean;
  /** Adds a blind index in the column `<name>_index`, for finding rows by this value; the function gives its canonical form. */
  readonly lookup?: (value: string) => string;
}

export interface EncryptedField {
  readonly property: string;
  readonly column: string;
  /** The property that holds the blind index, and the canonical form of what it indexes. */
  readonly lookup?: { readonly property: string; readonly canonical: (value: string) => string };
}

const fields = new Map<object, EncryptedField[]>();

/** Encrypts a column of type `Sealed<...>`; with `lookup`, its rows can be found by `FieldEncryption.blindIndex`. */
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
    const lookup = options.lookup && { property: `${property}Index`, canonical: options.lookup };
    if (lookup) Column({ type: 'bytea', name: `${column}_index` })(target, lookup.property);
    const known = fields.get(target.constructor) ?? [];
    fields.set(target.constructor, [...known, { property, column, lookup }]);
  };
}

export function encryptedFieldsOf(entity: object): readonly EncryptedField[] {
  return fields.get(entity) ?? [];
}

/** Every encrypted column of the application, as `Entity.column`. */
export function encryptedColumns(): string[] {
  return [...fields].flatMap(([entity, list]) =>
    list.map((field) => `${(entity as { name: string }).name}.${field.column}`),
  );
}
