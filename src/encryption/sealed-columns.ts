import { encryptedFields } from './encrypted.decorator.js';

type KeyType = 'uuid' | 'integer' | 'text' | 'bytea';

/** A column that holds sealed values. The row that a value is sealed for is its key's parts in text, joined by `/`. */
export interface SealedColumn {
  /** As it stands in the place of its values. */
  readonly table: string;
  readonly column: string;
  readonly key: readonly (readonly [name: string, type: KeyType])[];
  /** Its rows are persons: their values come under their own keys, never under the tenant's. */
  readonly ofPerson?: true;
  /** Of the registry and not of a tenant's schema; such values are sealed under the installation's own keys. */
  readonly schema?: 'control';
}

const declared: SealedColumn[] = [];

/**
 * Declares a column whose values are sealed by `FieldEncryption` and kept: a rewrap finds it here. Columns of entities
 * are declared by `@Encrypted`.
 */
export function sealedColumn(column: SealedColumn): SealedColumn {
  declared.push(column);
  return column;
}

/** Every column of the application that holds sealed values, in one order for all processes of a version. */
export function sealedColumns(): SealedColumn[] {
  const ofEntities = encryptedFields().map(({ table, field: { column, ofPerson } }): SealedColumn => ({
    table,
    column,
    key: [['id', 'uuid']],
    ...(ofPerson && { ofPerson }),
  }));
  return [...ofEntities, ...declared].toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}

/** `table.column`. */
export function nameOf({ schema, table, column }: SealedColumn): string {
  return `${schema === undefined ? '' : `${schema}.`}${table}.${column}`;
}
