import { Controller, Get, Query } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { CurrentTenant } from '../platform/http/parameters.js';
import { auditDetails, type RequestTenant } from '../platform/http/request-context.js';
import { AuditPageDto, AuditQuery, VerificationDto } from './audit.dto.js';
import { SearchLog } from './search-log.js';
import { VerifyLog } from './verify-log.js';

@Controller('v1/audit')
export class AuditController {
  constructor(
    private readonly searchLog: SearchLog,
    private readonly verifyLog: VerifyLog,
  ) {}

  @Get('events')
  @Endpoint({
    permission: 'audit:read',
    audit: 'audit.events_read',
    summary: 'Reads the audit log, newest first.',
    problems: [404, 409],
  })
  events(@CurrentTenant() tenant: RequestTenant, @Query() query: AuditQuery): Promise<AuditPageDto> {
    return this.searchLog.execute(tenant, query);
  }

  @Get('verify')
  @Endpoint({
    permission: 'audit:read',
    audit: 'audit.verified',
    summary: 'Recomputes the whole log and names the first altered event.',
  })
  async verify(@CurrentTenant() tenant: RequestTenant): Promise<VerificationDto> {
    const result = await this.verifyLog.execute(tenant);
    const { valid, checked, finding } = result;
    auditDetails({ changes: { valid, checked, ...(finding && { seq: finding.seq, kind: finding.kind }) } });
    return result;
  }
}
