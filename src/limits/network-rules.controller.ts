import { Body, Controller, Delete, Get, HttpCode, Param, Put } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { CurrentTenant, IfMatch } from '../platform/http/parameters.js';
import type { RequestTenant } from '../platform/http/request-context.js';
import { NetworkRulesDto, ReplaceNetworkRulesDto } from './limits.dto.js';
import { TenantNetworkRules } from './tenant-network-rules.js';

@Controller('v1/organisation/network-rules')
export class NetworkRulesController {
  constructor(private readonly rules: TenantNetworkRules) {}

  @Get()
  @Endpoint({
    permission: 'network_rules:read',
    audit: 'network_rules.read',
    summary: 'From which countries your organisation may be called.',
  })
  read(@CurrentTenant() tenant: RequestTenant): Promise<NetworkRulesDto> {
    return this.rules.read(tenant);
  }

  @Put()
  @Endpoint({
    permission: 'network_rules:update',
    audit: 'network_rules.updated',
    summary: 'Sets from which countries your organisation may be called. Refuses what would lock you out.',
    problems: [412, 422],
  })
  replace(
    @CurrentTenant() tenant: RequestTenant,
    @Body() body: ReplaceNetworkRulesDto,
    @IfMatch() version: number | undefined,
  ): Promise<NetworkRulesDto> {
    return this.rules.replace(tenant, body, version);
  }
}

@Controller('v1/tenants/:id/network-rules')
export class LockedOutController {
  constructor(private readonly rules: TenantNetworkRules) {}

  @Delete()
  @HttpCode(204)
  @Endpoint({
    permission: 'network_rules:clear',
    audit: 'network_rules.cleared',
    summary:
      'Takes away the network rules of an organisation that has locked itself out. Needs the operator key.',
    problems: [404],
  })
  clear(@Param('id') id: string): Promise<void> {
    return this.rules.clear(id);
  }
}
