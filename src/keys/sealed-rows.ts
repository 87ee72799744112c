import { Injectable } from '@nestjs/common';
import type pg from 'pg';
import type { SealedColumn } from '../encryption/index.js';
import { Cells, TenantDatabase, type Statement, type TenantRef } from '../platform/database/index.js';
import { RegistryWork, UnitOfWork } from '../requests/index.js';

/** Rows that are looked at in one statement, and bytes of values that are changed in one transaction. */
const PAGE_ROWS = 500;
const PAGE_BYTES = 4 * 1_024 * 1_024;
/** The suite and the key's id stand in the bytes 2 to 18 of a stored value. */
const HEADER = 'from 2 for 17';
const KEY_ID = 'from 3 for 16';

export interface StaleValue {
  /** The row's key, part by part, as text. */
  readonly key: readonly string[];
  readonly value: Buffer;
}

export interface StoredValue extends StaleValue {
  readonly rewrapped: Buffer;
}

export interface SealedPage {
  /** Values that are sealed under another key than the asked one, and not under a person's. */
  readonly stale: readonly StaleValue[];
  /** Key of the last row that was looked at; undefined where there was none. */
  readonly last: readonly string[] | undefined;
}

/** Reads sealed columns page by page, and replaces values that are still what was read. */
@Injectable()
export class SealedRows {
  constructor(
    private readonly database: TenantDatabase,
    private readonly cells: Cells,
    private readonly work: UnitOfWork,
    private readonly registry: RegistryWork,
  ) {}

  async page(
    tenant: TenantRef,
    column: SealedColumn,
    /** Of what is under the right key. */
    header: Buffer,
    after: readonly string[] | undefined,
  ): Promise<SealedPage> {
    const text = pageOf(column, after !== undefined);
    const values = [header, PAGE_BYTES, ...(after ?? [])];
    const rows = await this.#read<Record<string, string> & { value: Buffer | null }>(tenant, column, {
      text,
      values,
    });
    const keyOf = (row: Record<string, unknown>): string[] =>
      column.key.map((_, at) => String(row[`k${at}`]));
    const stale = rows.flatMap((row) => (row.value ? [{ key: keyOf(row), value: row.value }] : []));
    const last = rows.at(-1);
    return { stale, last: last && keyOf(last) };
  }

  /** Answers how many there were to replace: others have been changed since they were read. */
  async replace(tenant: TenantRef, column: SealedColumn, values: readonly StoredValue[]): Promise<number> {
    if (values.length === 0) return 0;
    const statement = {
      text: replacementOf(column),
      values: [
        ...column.key.map((_, at) => values.map(({ key }) => key[at])),
        values.map(({ value }) => value),
        values.map(({ rewrapped }) => rewrapped),
      ],
    };
    const why = 'the same value under another key; the rotation is the event';
    if (column.schema)
      return this.registry.bookkeeping(why, tenant.id, async (registry) =>
        Number((await registry.query(statement)).rowCount),
      );
    return this.database.within(tenant, () =>
      this.work.bookkeeping(why, async () => Number((await this.database.execute(statement)).rowCount)),
    );
  }

  async #read<Row extends pg.QueryResultRow>(
    tenant: TenantRef,
    { schema }: SealedColumn,
    { text, values }: Statement,
  ): Promise<Row[]> {
    if (schema) return (await this.cells.home.control.query<Row>(text, [...values])).rows;
    return this.database.within(tenant, () => this.database.query<Row>({ text, values }));
  }
}

/** Names come from declarations in the program, never from anybody's input. */
function pageOf({ schema, table, column, key, ofPerson }: SealedColumn, further: boolean): string {
  const names = key.map(([name]) => name).join(', ');
  const after = key.map(([, type], at) => fromText(`$${at + 3}`, type)).join(', ');
  const texts = key.map(([name, type], at) => `${toText(name, type)} AS k${at}`).join(', ');
  return `SELECT ${texts}, CASE WHEN stale THEN value END AS value FROM (
      SELECT *, sum(bytes) OVER (ORDER BY ${names}) - bytes AS before FROM (
        SELECT ${names}, value, stale, CASE WHEN stale THEN octet_length(value) ELSE 0 END AS bytes FROM (
          SELECT ${names}, ${column} AS value, ${staleOf(column, { schema, ofPerson })} AS stale
          FROM ${qualified(schema, table)} ${further ? `WHERE (${names}) > (${after})` : ''} ORDER BY ${names} LIMIT ${PAGE_ROWS}
        ) looked) measured) sized
    WHERE before < $2::bigint ORDER BY ${names}`;
}

/** What is under a person's key stays: that key is what is rewrapped. */
function staleOf(column: string, { schema, ofPerson }: Pick<SealedColumn, 'schema' | 'ofPerson'>): string {
  // A column of persons has nothing to do with the tenant's current key; the parameter needs a type all the same.
  const other = ofPerson
    ? `(${column} IS NOT NULL AND $1::bytea IS NOT NULL)`
    : `COALESCE(substring(${column} ${HEADER}) <> $1::bytea, false)`;
  if (schema) return other;
  // A damaged value may be shorter than a key's id.
  const id = `CASE WHEN octet_length(${column}) >= 18 THEN encode(substring(${column} ${KEY_ID}), 'hex')::uuid END`;
  return `(${other} AND NOT EXISTS (SELECT 1 FROM subject_keys s WHERE s.id = ${id}))`;
}

function replacementOf({ schema, table, column, key }: SealedColumn): string {
  const given = [...key.map((_, at) => `k${at}`), 'old', 'new'];
  const arrays = given.map((_, at) => `$${at + 1}::${at < key.length ? 'text' : 'bytea'}[]`).join(', ');
  const same = key.map(([name, type], at) => `t.${name} = ${fromText(`n.k${at}`, type)}`).join(' AND ');
  return `UPDATE ${qualified(schema, table)} t SET ${column} = n.new FROM unnest(${arrays}) AS n(${given.join(', ')})
    WHERE ${same} AND t.${column} = n.old`;
}

function qualified(schema: string | undefined, table: string): string {
  return schema === undefined ? table : `${schema}.${table}`;
}

function toText(name: string, type: string): string {
  return type === 'bytea' ? `encode(${name}, 'hex')` : `${name}::text`;
}

function fromText(value: string, type: string): string {
  return type === 'bytea' ? `decode(${value}, 'hex')` : `${value}::${type}`;
}
