import { Injectable } from '@nestjs/common';
import type { EventFilterDto } from '../audit/index.js';
import { FieldEncryption } from '../encryption/index.js';
import { Cells, type Cell, type TenantRef } from '../platform/database/index.js';
import type { ExportFormat } from './export-format.js';

/** What is known of a saved export. */
export interface SavedExport {
  readonly id: string;
  readonly format: ExportFormat;
  readonly filter: EventFilterDto;
  /** The events that are searched. */
  readonly first: number;
  readonly last: number;
  readonly status: 'WRITING' | 'READY' | 'FAILED';
  readonly error: string | undefined;
  readonly result: ExportResult | undefined;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

export interface ExportResult {
  readonly events: number;
  readonly bytes: number;
  readonly sha256: Buffer;
  readonly parts: number;
}

interface Row {
  id: string;
  format: ExportFormat;
  filter: Buffer;
  first: string;
  last: string;
  status: SavedExport['status'];
  error: string | null;
  events: string | null;
  bytes: string | null;
  sha256: Buffer | null;
  parts: number | null;
  created_at: Date;
  expires_at: Date;
}

const COLUMNS =
  'id, format, filter, first, last, status, error, events, bytes, sha256, parts, created_at, expires_at';
export const KEPT_DAYS = 7;
const LISTED = 50;

/** The rows of saved exports, in the cell of their tenant. What was searched for may name people: it is sealed. */
@Injectable()
export class ExportRows {
  constructor(
    private readonly cells: Cells,
    private readonly encryption: FieldEncryption,
  ) {}

  async add(
    tenant: TenantRef,
    { id, format, filter, first, last }: Pick<SavedExport, 'id' | 'format' | 'filter' | 'first' | 'last'>,
  ): Promise<void> {
    const sealed = await this.encryption.sealJson(tenant, placeOf(id), filter);
    await this.#pool(tenant).query(
      `INSERT INTO audit.exports (id, tenant, format, filter, first, last, expires_at)
       VALUES ($1, $2, $3, $4, $5, $6, now() + make_interval(days => ${KEPT_DAYS}))`,
      [id, tenant.id, format, sealed, first, last],
    );
  }

  async count(tenant: TenantRef): Promise<number> {
    const text = 'SELECT count(*)::int AS kept FROM audit.exports WHERE tenant = $1 AND expires_at > now()';
    const { rows } = await this.#pool(tenant).query<{ kept: number }>(text, [tenant.id]);
    return rows[0]?.kept ?? 0;
  }

  /** Those that are kept, the latest first. */
  async list(tenant: TenantRef): Promise<SavedExport[]> {
    const { rows } = await this.#pool(tenant).query<Row>(
      `SELECT ${COLUMNS} FROM audit.exports WHERE tenant = $1 AND expires_at > now() ORDER BY created_at DESC LIMIT ${LISTED}`,
      [tenant.id],
    );
    return Promise.all(rows.map((row) => this.#opened(tenant, row)));
  }

  async get(tenant: TenantRef, id: string): Promise<SavedExport | undefined> {
    const { rows } = await this.#pool(tenant).query<Row>(
      `SELECT ${COLUMNS} FROM audit.exports WHERE tenant = $1 AND id = $2 AND expires_at > now()`,
      [tenant.id, id],
    );
    return rows[0] && this.#opened(tenant, rows[0]);
  }

  async ready(tenant: TenantRef, id: string, result: ExportResult): Promise<void> {
    const { events, bytes, sha256, parts } = result;
    await this.#pool(tenant).query(
      `UPDATE audit.exports SET status = 'READY', events = $3, bytes = $4, sha256 = $5, parts = $6
       WHERE tenant = $1 AND id = $2 AND status = 'WRITING'`,
      [tenant.id, id, events, bytes, sha256, parts],
    );
  }

  async failed(tenant: TenantRef, id: string, error: string): Promise<void> {
    const text = `UPDATE audit.exports SET status = 'FAILED', error = $3 WHERE tenant = $1 AND id = $2 AND status = 'WRITING'`;
    await this.#pool(tenant).query(text, [tenant.id, id, error]);
  }

  async remove(tenant: TenantRef, id: string): Promise<void> {
    await this.#pool(tenant).query('DELETE FROM audit.exports WHERE tenant = $1 AND id = $2', [
      tenant.id,
      id,
    ]);
  }

  /** Makes it expire, as of now. */
  async expire(tenant: TenantRef, id: string): Promise<void> {
    const text = 'UPDATE audit.exports SET expires_at = now() WHERE tenant = $1 AND id = $2';
    await this.#pool(tenant).query(text, [tenant.id, id]);
  }

  /** All that a tenant has, those that are being written included. */
  async expireAll(tenant: TenantRef): Promise<void> {
    const text = 'UPDATE audit.exports SET expires_at = now() WHERE tenant = $1 AND expires_at > now()';
    await this.#pool(tenant).query(text, [tenant.id]);
  }

  /** Of all tenants of a cell, so many whose time is over. */
  async expired(cell: Cell, limit: number): Promise<{ id: string; tenant: string }[]> {
    const { rows } = await cell.audit.query<{ id: string; tenant: string }>(
      'SELECT id, tenant FROM audit.exports WHERE expires_at <= now() ORDER BY expires_at LIMIT $1',
      [limit],
    );
    return rows;
  }

  #pool(tenant: TenantRef) {
    return this.cells.of(tenant.cell).audit;
  }

  async #opened(tenant: TenantRef, row: Row): Promise<SavedExport> {
    const filter = await this.encryption.openJson(tenant, placeOf(row.id), row.filter);
    return {
      id: row.id,
      format: row.format,
      filter: filter as EventFilterDto,
      first: Number(row.first),
      last: Number(row.last),
      status: row.status,
      error: row.error ?? undefined,
      result:
        row.sha256 === null
          ? undefined
          : {
              events: Number(row.events),
              bytes: Number(row.bytes),
              sha256: row.sha256,
              parts: row.parts ?? 0,
            },
      createdAt: row.created_at,
      expiresAt: row.expires_at,
    };
  }
}

function placeOf(id: string) {
  return { table: 'audit_exports', column: 'filter', row: id };
}
