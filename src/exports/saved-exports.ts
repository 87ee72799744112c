import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { AuditLog, ColdLog, requireTimes, type EventFilterDto } from '../audit/index.js';
import { OperationRunner, Operations } from '../operations/index.js';
import type { TenantRef } from '../platform/database/index.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import { auditDetails } from '../platform/http/request-context.js';
import { StreamedFile } from '../platform/http/streamed-answer.js';
import { RegistryWork } from '../requests/index.js';
import { WRITERS, type ExportFormat } from './export-format.js';
import { ExportParts } from './export-parts.js';
import { ExportRows, type SavedExport } from './export-rows.js';
import type { AuditExportDto, AuditExportsDto } from './exports.dto.js';
import { AuditExportNotReady, TooManyExports } from './exports.errors.js';
import { BEGINNING, SAVED_EXPORT } from './write-export.js';

const KEPT = 10;

/** Searches whose result organisations have had saved. */
@Injectable()
export class SavedExports {
  constructor(
    private readonly rows: ExportRows,
    private readonly parts: ExportParts,
    private readonly log: AuditLog,
    private readonly cold: ColdLog,
    private readonly work: RegistryWork,
    private readonly operations: Operations,
    private readonly runner: OperationRunner,
  ) {}

  /** The operation first: one that finds no row after a while ends, and a row without an operation would never. */
  async create(
    tenant: TenantRef,
    format: ExportFormat,
    filter: EventFilterDto = {},
  ): Promise<AuditExportDto> {
    requireTimes(filter, '/filter/until');
    if ((await this.rows.count(tenant)) >= KEPT) throw new TooManyExports(KEPT);
    await this.log.drainOutbox(tenant.cell);
    await this.log.requireOpen(tenant);
    const [first, last] = [(await this.cold.through(tenant)) + 1, await this.log.length(tenant)];
    const id = uuidv7();
    auditDetails({
      resource: { type: 'audit_export', id },
      changes: { format, filter: Object.keys(filter), from: first, to: last },
    });
    await this.work.bookkeeping('the request is the event', tenant.id, (registry) =>
      this.operations.start(registry, {
        kind: SAVED_EXPORT,
        tenant: tenant.id,
        step: 'write',
        data: { export: id, ...BEGINNING },
      }),
    );
    await this.rows.add(tenant, { id, format, filter, first, last });
    this.runner.nudge();
    return this.get(tenant, id);
  }

  async list(tenant: TenantRef): Promise<AuditExportsDto> {
    return { items: (await this.rows.list(tenant)).map(dto) };
  }

  async get(tenant: TenantRef, id: string): Promise<AuditExportDto> {
    return dto(await this.#require(tenant, id));
  }

  /** The content, as it was when its digest was made. */
  async content(tenant: TenantRef, id: string): Promise<StreamedFile> {
    const { format, status, result } = await this.#require(tenant, id);
    if (status !== 'READY' || !result || !(await this.parts.complete(tenant, id, result.parts)))
      throw new AuditExportNotReady();
    const { events, bytes, sha256, parts } = result;
    auditDetails({ changes: { format, events, bytes, sha256: sha256.toString('hex') } });
    const headers = {
      name: `audit-${id}.${format}`,
      type: WRITERS[format].type,
      more: {
        'Content-Length': String(bytes),
        // RFC 9530.
        'Repr-Digest': `sha-256=:${sha256.toString('base64')}:`,
      },
    };
    return new StreamedFile(headers, () => this.parts.read(tenant, id, parts));
  }

  /** It is gone at once for whoever asks, and from the store with the next look. */
  async delete(tenant: TenantRef, id: string): Promise<void> {
    await this.#require(tenant, id);
    await this.rows.expire(tenant, id);
  }

  async #require(tenant: TenantRef, id: string): Promise<SavedExport> {
    const found = await this.rows.get(tenant, id);
    if (!found) throw new ResourceNotFound('export');
    auditDetails({ resource: { type: 'audit_export', id } });
    return found;
  }
}

function dto({
  id,
  format,
  filter,
  first,
  last,
  status,
  error,
  result,
  createdAt,
  expiresAt,
}: SavedExport): AuditExportDto {
  return {
    id,
    format,
    filter,
    status,
    ...(error !== undefined && { error }),
    from: first,
    to: last,
    ...(result && {
      events: result.events,
      bytes: result.bytes,
      sha256: result.sha256.toString('hex'),
    }),
    createdAt: createdAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
  };
}
