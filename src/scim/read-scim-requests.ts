import { Injectable } from '@nestjs/common';
import { FieldEncryption, PersonErased } from '../encryption/index.js';
import { currentTenant, TenantDatabase } from '../platform/database/index.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import { cursorKey, pageOf, UUID_KEY, type Page } from '../platform/http/pagination.js';
import { auditDetails } from '../platform/http/request-context.js';
import type { FullScimRequestDto, ScimRequestDto, ScimRequestsQuery } from './directories.dto.js';
import { KEPT, type ScimRequest } from './scim-requests.js';

export interface ScimRequestRow extends Record<string, unknown> {
  readonly id: string;
  readonly directory_id: string;
  readonly action: string;
  readonly status: number;
  readonly scim_type: string | null;
  readonly dry_run: boolean;
  readonly request: Buffer;
  readonly replay_of: string | null;
  readonly replayed_by: string | null;
  readonly created_at: Date;
}

const COLUMNS =
  'id, directory_id, action, status, scim_type, dry_run, request, replay_of, replayed_by, created_at';

/** What directories have asked for, as administrators read it. */
@Injectable()
export class ReadScimRequests {
  constructor(
    private readonly database: TenantDatabase,
    private readonly encryption: FieldEncryption,
  ) {}

  async list({ cursor, limit, directory, outcome }: ScimRequestsQuery): Promise<Page<ScimRequestDto>> {
    const rows = await this.database.query<ScimRequestRow>({
      text: `SELECT ${COLUMNS} FROM scim_requests WHERE ($1::uuid IS NULL OR id < $1) AND ($2::uuid IS NULL OR directory_id = $2)
          AND ($3 = false OR status >= 400) AND created_at > now() - ${KEPT} ORDER BY id DESC LIMIT $4`,
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

  /** One, with what was asked for. @throws {ResourceNotFound} */
  async find(id: string): Promise<{ row: ScimRequestRow; request: ScimRequest | undefined }> {
    const [row] = await this.database.query<ScimRequestRow>({
      text: `SELECT ${COLUMNS} FROM scim_requests WHERE id = $1 AND created_at > now() - ${KEPT}`,
      values: [id],
    });
    if (!row) throw new ResourceNotFound('request');
    return { row, request: await this.#open(row) };
  }

  async get(id: string): Promise<FullScimRequestDto> {
    const { row, request } = await this.find(id);
    auditDetails({ resource: { type: 'scim_request', id } });
    const { method, path, body } = request ?? {};
    return {
      ...requestDto(row, request),
      ...(method !== undefined && { method }),
      ...(path !== undefined && { path }),
      ...(body !== undefined && { body }),
    };
  }

  /** Undefined where the person whom it is about was erased since. */
  async #open({ id, request }: ScimRequestRow): Promise<ScimRequest | undefined> {
    const place = { table: 'scim_requests', column: 'request', row: id };
    try {
      return (await this.encryption.openJson(currentTenant(), place, request)) as ScimRequest;
    } catch (error) {
      if (error instanceof PersonErased) return undefined;
      throw error;
    }
  }
}

export function requestDto(row: ScimRequestRow, request: ScimRequest | undefined): ScimRequestDto {
  return {
    id: row.id,
    directory: row.directory_id,
    action: row.action,
    status: row.status,
    ...(row.scim_type !== null && { scimType: row.scim_type }),
    ...(request?.reason !== undefined && { reason: request.reason }),
    dryRun: row.dry_run,
    ...(row.replay_of !== null && { replayOf: row.replay_of }),
    ...(row.replayed_by !== null && { replayedBy: row.replayed_by }),
    createdAt: row.created_at.toISOString(),
  };
}
