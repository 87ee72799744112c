import { Injectable } from '@nestjs/common';
import type { EntityMetadata, ObjectLiteral } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import { TenantDatabase, type Statement } from '../platform/database/index.js';
import { EncryptionSubscriber } from './encryption.subscriber.js';
import { FieldEncryption } from './field-encryption.js';
import { KeyRing } from './key-ring.js';
import { Openers } from './openers.js';
import { SubjectKeys } from './subject-keys.js';

/** How rows of an entity are inserted: the text is the same for all of them, and prepared by name. */
interface Insertion {
  readonly name: string;
  readonly text: string;
  readonly given: readonly ColumnMetadata[];
  /** What the database fills in. */
  readonly made: readonly ColumnMetadata[];
}

/**
 * Inserts new rows, encrypted columns sealed, in one flush however many they are: what is a statement already goes along in
 * its place. For the mutations that are asked for most; writing each statement anew took a third of their time (bench/scim).
 */
@Injectable()
export class NewRows {
  readonly #subscriber: EncryptionSubscriber;
  readonly #insertions = new WeakMap<EntityMetadata, Insertion>();

  constructor(
    keys: KeyRing,
    subjects: SubjectKeys,
    openers: Openers,
    fields: FieldEncryption,
    private readonly database: TenantDatabase,
  ) {
    this.#subscriber = new EncryptionSubscriber(keys, subjects, openers, fields, database);
  }

  /** In the order given. What the database fills in, such as times, the entities have afterwards. @throws the first failure */
  async insert(...rows: readonly (ObjectLiteral | Statement)[]): Promise<void> {
    const inserted: (() => Promise<void>)[] = [];
    for (const row of rows)
      inserted.push(
        isStatement(row) ? async () => void (await this.database.query(row)) : await this.#ready(row),
      );
    await Promise.all(inserted.map((insert) => insert()));
  }

  async #ready(row: ObjectLiteral): Promise<() => Promise<void>> {
    const { connection } = this.database.manager;
    const metadata = connection.getMetadata(row.constructor);
    await this.#subscriber.seal(metadata, row);
    const { name, text, given, made } = this.#insertion(metadata);
    const { driver } = connection;
    const values = given.map(
      (column) => driver.preparePersistentValue(column.getEntityValue(row), column) as unknown,
    );
    return async () => {
      const [filled] = await this.database.query<Record<string, unknown>>({ name, text, values });
      for (const column of made)
        column.setEntityValue(row, driver.prepareHydratedValue(filled?.[column.databaseName], column));
    };
  }

  #insertion(metadata: EntityMetadata): Insertion {
    const known = this.#insertions.get(metadata);
    if (known) return known;
    const isMade = (column: ColumnMetadata): boolean =>
      column.isVersion || column.isCreateDate || column.isUpdateDate;
    const made = metadata.columns.filter(isMade);
    const given = metadata.columns.filter((column) => !isMade(column));
    const names = (columns: readonly ColumnMetadata[]): string =>
      columns.map(({ databaseName }) => `"${databaseName}"`).join(', ');
    const text = `INSERT INTO "${metadata.tableName}" (${names(given)})
      VALUES (${given.map((_, at) => `$${at + 1}`).join(', ')}) ${made.length > 0 ? `RETURNING ${names(made)}` : ''}`;
    const insertion = { name: `insert_${metadata.tableName}`, text, given, made };
    this.#insertions.set(metadata, insertion);
    return insertion;
  }
}

function isStatement(row: ObjectLiteral | Statement): row is Statement {
  return Object.getPrototypeOf(row) === Object.prototype && 'text' in row && 'values' in row;
}

/** The constraint of the database that refused a statement. */
export function refusedBy(error: unknown): string | undefined {
  const { constraint, driverError } = error as { constraint?: string; driverError?: { constraint?: string } };
  return constraint ?? driverError?.constraint;
}
