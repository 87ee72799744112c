import { Injectable } from '@nestjs/common';
import {
  encryptedFields,
  FieldEncryption,
  FieldUnreadable,
  indexOf,
  isSealedBy,
  KeyRing,
  Openers,
  PersonErased,
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

/** How far a pass over the rows without an index has come; the id of the last that was looked at, by column. */
interface Pass {
  readonly after: Readonly<Record<string, string>>;
  readonly filled: number;
  readonly unreadable: number;
}

interface FilledPage {
  readonly filled: number;
  /** Values that cannot be opened, and that rewrapping has not counted; they stay as they are, and are found no more. */
  readonly unreadable: number;
  /** Undefined where there was no row. */
  readonly last: string | undefined;
}

interface StoredRow {
  readonly id: string;
  readonly value: Buffer;
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
    private readonly fields: FieldEncryption,
  ) {}

  /** A page for each column, by the rows' ids; again until a whole pass has filled nothing. */
  async fill(tenant: TenantRef, data: OperationData, next: string, signal: AbortSignal): Promise<StepResult> {
    const keys = await this.keys.reread(tenant);
    const { filling: _, ...rest } = data;
    const slot = keys.indexes[1]?.slot;
    if (slot === undefined) return { next, data: rest };
    const pass = (data['filling'] ?? { after: {}, filled: 0, unreadable: 0 }) as Pass;
    const after = new Map(Object.entries(pass.after));
    let [{ filled, unreadable }, whole] = [pass, true];
    for (const column of lookupColumns()) {
      signal.throwIfAborted();
      const page = await this.#fillPage(tenant, keys, { slot, after: after.get(nameOf(column)) }, column);
      filled += page.filled;
      unreadable += page.unreadable;
      if (page.last === undefined) continue;
      whole = false;
      after.set(nameOf(column), page.last);
    }
    if (!whole)
      return {
        again: 0,
        data: { ...rest, filling: { after: Object.fromEntries(after), filled, unreadable } },
      };
    if (filled > 0) return { again: 0, data: rest };
    return { next, data: { ...rest, unreadable: Number(data['unreadable'] ?? 0) + unreadable } };
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

  async #fillPage(
    tenant: TenantRef,
    keys: TenantKeys,
    { slot, after }: { readonly slot: number; readonly after: string | undefined },
    column: LookupColumn,
  ): Promise<FilledPage> {
    const { table, field } = column;
    const target = field.lookup.columns[slot];
    const rows = await this.database.within(tenant, () =>
      this.database.query<StoredRow>({
        text: `SELECT id, ${field.column} AS value FROM ${table} WHERE ${target} IS NULL AND ${field.column} IS NOT NULL
          AND ($1::uuid IS NULL OR id > $1) ORDER BY id LIMIT ${PAGE_ROWS}`,
        values: [after ?? null],
      }),
    );
    if (rows.length === 0) return { filled: 0, unreadable: 0, last: undefined };
    const open = await this.openers.of(
      tenant,
      rows.map(({ value }) => ({ table, column: field.column, bytes: value })),
    );
    const indexed: (StoredRow & { readonly index: Buffer })[] = [];
    let unreadable = 0;
    for (const { id, value } of rows) {
      try {
        const index = indexOf({ keys, open }, tenant.id, { ...column, row: id, slot }, value);
        indexed.push({ id, value, index });
      } catch (error) {
        if (error instanceof PersonErased) continue;
        if (!(error instanceof FieldUnreadable)) throw error;
        if (await this.#uncounted(tenant, keys, value)) unreadable += 1;
      }
    }
    // Whoever has changed the value since has written its index too.
    const text = `UPDATE ${table} t SET ${target} = n.index
      FROM unnest($1::uuid[], $2::bytea[], $3::bytea[]) AS n(id, old, index)
      WHERE t.id = n.id AND t.${field.column} = n.old AND t.${target} IS NULL`;
    const [ids, values] = [indexed.map(({ id }) => id), indexed.map(({ value }) => value)];
    if (ids.length > 0) await this.#write(tenant, text, [ids, values, indexed.map(({ index }) => index)]);
    return { filled: ids.length, unreadable, last: rows.at(-1)?.id };
  }

  /** Rewrapping has counted what names another key than the present one and than a person's. */
  async #uncounted(tenant: TenantRef, keys: TenantKeys, value: Buffer): Promise<boolean> {
    try {
      return isSealedBy(keys.current, value) || (await this.fields.personOf(tenant, value)) !== undefined;
    } catch (error) {
      if (error instanceof FieldUnreadable) return false;
      throw error;
    }
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

function nameOf({ table, field }: LookupColumn): string {
  return `${table}.${field.column}`;
}
