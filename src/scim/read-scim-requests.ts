import { Injectable } from '@nestjs/common';
import { FieldEncryption, PersonErased } from '../encryption/index.js';
import { currentTenant, TenantDatabase } from '../platform/database/index.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import { cursorKey, pageOf, UUID_KEY, type Page } from '../platform/http/pagination.js';
import { auditDetails } from '../platform/http/request-context.js';
import type { FullScimRequestDto, ScimRequestDto, ScimRequestsQuery } from './directories.dto.js';
import type { ScimRequest } from './scim-requests.js';

interface Row extends Record<string, unknown> {
  readonly id: string;
  readonly directory_id: string;
  readonly action: string;
  readonly status: number;
  readonly scim_type: string | null;
  readonly dry_run: boolean;
  readonly request: Buffer;
  readonly created_at: Date;
}

const COLUMNS = 'id, directory_id, action, status, scim_type, dry_run, request, created_at';

/** What directories have asked for, as administrators read it. */
@Injectable()
export class ReadScimRequests {
  constructor(
    private readonly database: TenantDatabase,
    private readonly encryption: FieldEncryption,
  ) {}

  async list({ cursor, limit, directory, outcome }: ScimRequestsQuery): Promise<Page<ScimRequestDto>> {
    const rows = await this.database.query<Row>({
      text: `SELECT ${COLUMNS} FROM scim_requests WHERE ($1::uuid IS NULL OR id < $1) AND ($2::uuid IS NULL OR directory_id = $2)
          AND ($3 = false OR status >= 400) ORDER BY id DESC LIMIT $4`,
      values: [cursorKey(cursor, UUID_KEY) ?? null, directory ?? null, outcome === 'refused', limit + 1],
    });
    const opened = new Map(
      await Promise.all(rows.map(async (row) => [row.id, await this.#open(row)] as const)),
    );
    return pageOf(
      rows,
      limit,
      ({ id }) => id,
      (row) => requestDto(row, opened.get(row.id)),
    );
  }

  async get(id: string): Promise<FullScimRequestDto> {
    const [row] = await this.database.query<Row>({
      text: `SELECT ${COLUMNS} FROM scim_requests WHERE id = $1`,
      values: [id],
    });
    if (!row) throw new ResourceNotFound('request');
    auditDetails({ resource: { type: 'scim_request', id } });
    const request = await this.#open(row);
    const { method, path, body } = request ?? {};
    return {
      ...requestDto(row, request),
      ...(method !== undefined && { method }),
      ...(path !== undefined && { path }),
      ...(body !== undefined && { body }),
    };
  }

  /** Undefined where the person whom it is about was erased since. */
  async #open({ id, request }: Row): Promise<ScimRequest | undefined> {
    const place = { table: 'scim_requests', column: 'request', row: id };
    try {
      return (await this.encryption.openJson(currentTenant(), place, request)) as ScimRequest;
    } catch (error) {
      if (error instanceof PersonErased) return undefined;
      throw error;
    }
  }
}

function requestDto(row: Row, request: ScimRequest | undefined): ScimRequestDto {
  return {
    id: row.id,
    directory: row.directory_id,
    action: row.action,
    status: row.status,
    ...(row.scim_type !== null && { scimType: row.scim_type }),
    ...(request?.reason !== undefined && { reason: request.reason }),
    dryRun: row.dry_run,
    createdAt: row.created_at.toISOString(),
  };
}
