import { Body, Controller, Get, Param, Put } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { IfMatch } from '../platform/http/parameters.js';
import { RateLimitsDto, ReplaceRateLimitsDto } from './limits.dto.js';
import { TenantRateLimits } from './tenant-rate-limits.js';

@Controller('v1/tenants/:id/rate-limits')
export class RateLimitsController {
  constructor(private readonly limits: TenantRateLimits) {}

  @Get()
  @Endpoint({
    permission: 'rate_limits:read',
    audit: 'rate_limits.read',
    summary: 'The rate limits of an organisation. Needs the operator key.',
    problems: [404],
  })
  read(@Param('id') id: string): Promise<RateLimitsDto> {
    return this.limits.read(id);
  }

  @Put()
  @Endpoint({
    permission: 'rate_limits:update',
    audit: 'rate_limits.updated',
    summary: 'Sets the rate limits of an organisation, while it runs. Needs the operator key.',
    problems: [404, 412],
  })
  replace(
    @Param('id') id: string,
    @Body() body: ReplaceRateLimitsDto,
    @IfMatch() version: number | undefined,
  ): Promise<RateLimitsDto> {
    return this.limits.replace(id, body, version);
  }
}
