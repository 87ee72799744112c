import { Body, Controller, Get, HttpCode, Post, Put } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { CurrentTenant, IfMatch } from '../platform/http/parameters.js';
import type { RequestTenant } from '../platform/http/request-context.js';
import { LegalHoldReasonDto, ReplaceRetentionDto, RequestBodiesDto, RetentionDto } from './retention.dto.js';
import { TenantRetention } from './tenant-retention.js';

@Controller('v1/audit')
export class RetentionController {
  constructor(private readonly retention: TenantRetention) {}

  @Get('retention')
  @Endpoint({
    permission: 'audit:read',
    audit: 'audit_retention.read',
    summary: 'For how long your log is kept, and whether it is under a legal hold.',
  })
  read(@CurrentTenant() tenant: RequestTenant): Promise<RetentionDto> {
    return this.retention.read(tenant);
  }

  @Put('retention')
  @Endpoint({
    permission: 'audit_retention:update',
    audit: 'audit_retention.updated',
    summary: 'Keeps your log for longer than the installation does. What is locked already stays as it is.',
    problems: [412],
  })
  replace(
    @CurrentTenant() tenant: RequestTenant,
    @Body() body: ReplaceRetentionDto,
    @IfMatch() version: number | undefined,
  ): Promise<RetentionDto> {
    return this.retention.replace(tenant, body, version);
  }

  @Get('request-bodies')
  @Endpoint({
    permission: 'audit:read',
    audit: 'audit_request_bodies.read',
    summary: 'What of the bodies of requests your log has.',
  })
  requestBodies(@CurrentTenant() { requestBodies }: RequestTenant): RequestBodiesDto {
    return { recorded: requestBodies?.recorded ?? 'none', withheld: [...(requestBodies?.withheld ?? [])] };
  }

  @Put('request-bodies')
  @Endpoint({
    permission: 'request_bodies:update',
    audit: 'audit_request_bodies.updated',
    summary:
      'Has bodies of requests recorded in your log, encrypted: none, without what is personal, or in full; secrets, and fields that you name, never are.',
  })
  recordBodies(
    @CurrentTenant() tenant: RequestTenant,
    @Body() body: RequestBodiesDto,
  ): Promise<RequestBodiesDto> {
    return this.retention.recordBodies(tenant, body);
  }

  @Put('legal-hold')
  @Endpoint({
    permission: 'legal_hold:update',
    audit: 'legal_hold.set',
    summary:
      'Sets a legal hold: nothing of your log is deleted while it lasts, and your organisation is not either.',
    problems: [409],
  })
  hold(
    @CurrentTenant() tenant: RequestTenant,
    @Body() { reason }: LegalHoldReasonDto,
  ): Promise<RetentionDto> {
    return this.retention.hold(tenant, reason);
  }

  @Post('legal-hold/lift')
  @HttpCode(200)
  @Endpoint({
    permission: 'legal_hold:update',
    audit: 'legal_hold.lifted',
    summary: 'Lifts the legal hold that an owner has set.',
    problems: [409],
  })
  lift(
    @CurrentTenant() tenant: RequestTenant,
    @Body() { reason }: LegalHoldReasonDto,
  ): Promise<RetentionDto> {
    return this.retention.lift(tenant, reason);
  }
}
