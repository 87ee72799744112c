import { Body, Controller, Delete, Get, HttpCode, Post, Res } from '@nestjs/common';
import { ApiOkResponse } from '@nestjs/swagger';
import { Endpoint } from '../platform/http/endpoint.js';
import { CurrentTenant, ResourceId } from '../platform/http/parameters.js';
import type { RequestTenant } from '../platform/http/request-context.js';
import type { StreamedFile } from '../platform/http/streamed-answer.js';
import { AuditExportDto, AuditExportsDto, CreateExportDto } from './exports.dto.js';
import { SavedExports } from './saved-exports.js';

@Controller('v1/audit/exports')
export class ExportsController {
  constructor(private readonly exports: SavedExports) {}

  @Post()
  @HttpCode(202)
  @Endpoint({
    permission: 'audit:export',
    audit: 'audit_export.requested',
    summary: 'Has what a search of the log finds written down, to be read for a week.',
    problems: [409],
  })
  create(
    @CurrentTenant() tenant: RequestTenant,
    @Body() { format, filter }: CreateExportDto,
  ): Promise<AuditExportDto> {
    return this.exports.create(tenant, format, filter);
  }

  @Get()
  @Endpoint({
    permission: 'audit:export',
    audit: 'audit_export.listed',
    summary: 'Lists the exports that are kept, the latest first.',
  })
  list(@CurrentTenant() tenant: RequestTenant): Promise<AuditExportsDto> {
    return this.exports.list(tenant);
  }

  @Get(':id')
  @Endpoint({
    permission: 'audit:export',
    audit: 'audit_export.viewed',
    summary: 'Says how far an export is, and the digest of its content.',
    problems: [404],
  })
  get(@CurrentTenant() tenant: RequestTenant, @ResourceId('export') id: string): Promise<AuditExportDto> {
    return this.exports.get(tenant, id);
  }

  @Get(':id/content')
  @ApiOkResponse({
    description: 'The content. `Repr-Digest` (RFC 9530) has its SHA-256.',
    content: {
      'application/jsonl': { schema: { type: 'string' } },
      'text/csv': { schema: { type: 'string' } },
    },
  })
  @Endpoint({
    permission: 'audit:export',
    audit: 'audit_export.read',
    summary: 'Downloads an export.',
    problems: [404, 409],
  })
  content(
    @CurrentTenant() tenant: RequestTenant,
    @ResourceId('export') id: string,
    // Declared, so that the framework leaves the answer to the stream.
    @Res() _response: unknown,
  ): Promise<StreamedFile> {
    return this.exports.content(tenant, id);
  }

  @Delete(':id')
  @HttpCode(204)
  @Endpoint({
    permission: 'audit:export',
    audit: 'audit_export.deleted',
    summary: 'Takes an export away.',
    problems: [404],
  })
  delete(@CurrentTenant() tenant: RequestTenant, @ResourceId('export') id: string): Promise<void> {
    return this.exports.delete(tenant, id);
  }
}
