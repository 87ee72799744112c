import { Injectable } from '@nestjs/common';
import { FieldEncryption, PersonErased, type Place } from '../encryption/index.js';
import { TenantDatabase, type TenantRef } from '../platform/database/index.js';
import type { ExportedTable } from './export-plan.js';

const PAGE = 500;

export interface RowPage {
  /** Lines of JSON. */
  readonly lines: string[];
  /** Key of the last row; undefined where there was none. */
  readonly last: readonly string[] | undefined;
}

/** Reads a tenant's rows for an export: opened, in the order of their keys. */
@Injectable()
export class ExportRows {
  constructor(
    private readonly database: TenantDatabase,
    private readonly encryption: FieldEncryption,
  ) {}

  /** Rows after a key, as many as are about so many bytes: no more than one row beyond it is in memory. */
  async after(
    tenant: TenantRef,
    exported: ExportedTable,
    after: readonly string[] | undefined,
    bytes: number,
  ): Promise<RowPage> {
    const rows = await this.database.within(tenant, () =>
      this.database.query<Record<string, unknown>>({
        text: pageOf(exported, after !== undefined),
        values: [bytes, ...(after ?? [])],
      }),
    );
    const keyOf = (row: Record<string, unknown>): string[] => exported.key.map(([name]) => String(row[name]));
    const lines: string[] = [];
    for (const row of rows) {
      for (const [column, how] of Object.entries(exported.columns)) {
        const value = row[column];
        if (how !== 'sealed' || !Buffer.isBuffer(value)) continue;
        const place = { table: exported.table, column, row: keyOf(row).join('/') };
        row[column] = await this.#opened(tenant, place, value);
      }
      lines.push(JSON.stringify({ table: exported.table, row }));
    }
    const last = rows.at(-1);
    return { lines, last: last && keyOf(last) };
  }

  /** Null where it was of somebody who was erased. */
  async #opened(tenant: TenantRef, place: Place, value: Buffer): Promise<unknown> {
    try {
      return await this.encryption.openJson(tenant, place, value);
    } catch (error) {
      if (error instanceof PersonErased) return null;
      throw error;
    }
  }
}

/** The names come from the plan, never from anybody's input. */
function pageOf({ table, key, columns }: ExportedTable, further: boolean): string {
  const names = Object.entries(columns).flatMap(([name, how]) => (typeof how === 'string' ? [name] : []));
  const order = key.map(([name]) => name).join(', ');
  const place = key.map(([, type], at) => `$${at + 2}::${type}`).join(', ');
  const size = names.map((name) => `COALESCE(pg_column_size(${name}), 0)`).join(' + ');
  return `SELECT ${names.join(', ')} FROM (
      SELECT *, sum(bytes) OVER (ORDER BY ${order}) - bytes AS before FROM (
        SELECT ${names.join(', ')}, ${size} AS bytes FROM ${table}
        ${further ? `WHERE (${order}) > (${place})` : ''} ORDER BY ${order} LIMIT ${PAGE}) page) sized
    WHERE before < $1 ORDER BY ${order}`;
}
