import { Injectable } from '@nestjs/common';
import {
  encryptedFields,
  indexOf,
  KeyRing,
  Openers,
  type EncryptedField,
  type TenantKeys,
} from '../encryption/index.js';
import type { OperationData, StepResult } from '../operations/index.js';
import { TenantDatabase, type TenantRef } from '../platform/database/index.js';
import { UnitOfWork } from '../requests/index.js';

const PAGE_ROWS = 200;
const WHY = 'the index of the same value under another key; the rotation is the event';

interface LookupColumn {
  readonly table: string;
  readonly field: EncryptedField & { readonly lookup: NonNullable<EncryptedField['lookup']> };
}

/**
 * Replaces blind indexes. While the new key's column is filled, both are written and rows are found by either, so that
 * values stay unique under the old key until they are under the new one.
 */
@Injectable()
export class ReplaceIndex {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly keys: KeyRing,
    private readonly openers: Openers,
  ) {}

  /** A page for each column; again until none has a row without its new index. */
  async fill(tenant: TenantRef, data: OperationData, next: string, signal: AbortSignal): Promise<StepResult> {
    const keys = await this.keys.reread(tenant);
    const filling = keys.indexes[1];
    if (!filling) return { next, data };
    let filled = 0;
    for (const column of lookupColumns()) {
      signal.throwIfAborted();
      filled += await this.#fillPage(tenant, keys, filling.slot, column);
    }
    return filled === 0 ? { next, data } : { again: 0, data };
  }

  /** Empties the column of the key that is in use no more. */
  async clear(
    tenant: TenantRef,
    data: OperationData,
    next: string,
    signal: AbortSignal,
  ): Promise<StepResult> {
    const [current] = (await this.keys.reread(tenant)).indexes;
    if (!current) throw new Error(`Tenant ${tenant.id} has no index key.`);
    let cleared = 0;
    for (const { table, field } of lookupColumns()) {
      signal.throwIfAborted();
      const [old, used] = [field.lookup.columns[1 - current.slot], field.lookup.columns[current.slot]];
      const text = `UPDATE ${table} SET ${old} = NULL WHERE id IN
        (SELECT id FROM ${table} WHERE ${old} IS NOT NULL AND ${used} IS NOT NULL LIMIT ${PAGE_ROWS})`;
      cleared += await this.#write(tenant, text, []);
    }
    return cleared === 0 ? { next, data } : { again: 0, data };
  }

  async #fillPage(tenant: TenantRef, keys: TenantKeys, slot: number, column: LookupColumn): Promise<number> {
    const { table, field } = column;
    const target = field.lookup.columns[slot];
    const rows = await this.database.within(tenant, () =>
      this.database.query<{ id: string; value: Buffer }>({
        text: `SELECT id, ${field.column} AS value FROM ${table}
          WHERE ${target} IS NULL AND ${field.column} IS NOT NULL ORDER BY id LIMIT ${PAGE_ROWS}`,
        values: [],
      }),
    );
    if (rows.length === 0) return 0;
    const open = await this.openers.of(
      tenant,
      rows.map(({ value }) => value),
    );
    const indexes = rows.map(({ id, value }) =>
      indexOf({ keys, open }, tenant.id, { ...column, row: id, slot }, value),
    );
    // Whoever has changed the value since has written its index too.
    const text = `UPDATE ${table} t SET ${target} = n.index
      FROM unnest($1::uuid[], $2::bytea[], $3::bytea[]) AS n(id, old, index)
      WHERE t.id = n.id AND t.${field.column} = n.old AND t.${target} IS NULL`;
    await this.#write(tenant, text, [rows.map(({ id }) => id), rows.map(({ value }) => value), indexes]);
    return rows.length;
  }

  #write(tenant: TenantRef, text: string, values: readonly unknown[]): Promise<number> {
    return this.database.within(tenant, () =>
      this.work.bookkeeping(WHY, async () =>
        Number((await this.database.execute({ text, values })).rowCount),
      ),
    );
  }
}

function lookupColumns(): LookupColumn[] {
  return encryptedFields().flatMap(({ table, field }) => {
    const { lookup } = field;
    return lookup ? [{ table, field: { ...field, lookup } }] : [];
  });
}
