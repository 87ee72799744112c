import { Body, Controller, Get, HttpCode, Post } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { CurrentTenant } from '../platform/http/parameters.js';
import type { RequestTenant } from '../platform/http/request-context.js';
import { Restores } from './restores.js';
import { CreateRestoreDto, RestoreDto, RestoresDto } from './restores.dto.js';

@Controller('v1/audit/restores')
export class RestoresController {
  constructor(private readonly restores: Restores) {}

  @Post()
  @HttpCode(202)
  @Endpoint({
    permission: 'audit_restore:create',
    audit: 'audit_restore.requested',
    summary: 'Loads events from cold storage, so that they can be searched for a week.',
    problems: [409],
  })
  create(@CurrentTenant() tenant: RequestTenant, @Body() body: CreateRestoreDto): Promise<RestoreDto> {
    return this.restores.create(tenant, body);
  }

  @Get()
  @Endpoint({
    permission: 'audit:read',
    audit: 'audit_restore.listed',
    summary: 'Lists what was loaded from cold storage, the latest first.',
  })
  list(@CurrentTenant() tenant: RequestTenant): Promise<RestoresDto> {
    return this.restores.list(tenant);
  }
}
