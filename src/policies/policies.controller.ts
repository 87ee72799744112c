import { Body, Controller, Get, HttpCode, Post, Query } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { PageQuery } from '../platform/http/pagination.js';
import { CurrentActor, CurrentTenant } from '../platform/http/parameters.js';
import type { Actor, RequestTenant } from '../platform/http/request-context.js';
import { DryRun } from './dry-run.js';
import { ExplainDto, ExplanationDto } from './explain.dto.js';
import { Explain } from './explain.js';
import {
  DryRunDto,
  DryRunResultDto,
  InForceDto,
  PolicyVersionDto,
  PolicyVersionPageDto,
  RollBackDto,
  WritePoliciesDto,
} from './policies.dto.js';
import { Policies } from './policies.js';
import { VersionNumber } from './version-number.js';

@Controller('v1/access')
export class PoliciesController {
  constructor(
    private readonly policies: Policies,
    private readonly dryRun: DryRun,
    private readonly explaining: Explain,
  ) {}

  @Post('policies')
  @Endpoint({
    permission: 'access_policy:manage',
    audit: 'access_policies.written',
    summary: "Writes a version of the organisation's own policies; it is not in force yet.",
    problems: [409],
  })
  write(@CurrentActor() actor: Actor, @Body() body: WritePoliciesDto): Promise<PolicyVersionDto> {
    return this.policies.write(actor, body);
  }

  @Get('policies')
  @Endpoint({
    permission: 'access_policy:read',
    audit: 'access_policies.listed',
    summary: "Lists the versions of the organisation's own policies, the newest first.",
  })
  list(@Query() query: PageQuery): Promise<PolicyVersionPageDto> {
    return this.policies.list(query);
  }

  @Get('policies/:version')
  @Endpoint({
    permission: 'access_policy:read',
    audit: 'access_policies.read',
    summary: 'Reads a version of the policies.',
    problems: [404],
  })
  get(@VersionNumber() version: number): Promise<PolicyVersionDto> {
    return this.policies.get(version);
  }

  @Post('policies/:version/dry-run')
  @HttpCode(200)
  @Endpoint({
    permission: 'access_policy:manage',
    audit: 'access_policies.tried',
    summary:
      'Makes the last decisions again with a version, and says which would have been others. Changes nothing. Needs `audit:read` as well.',
    problems: [404],
  })
  tryOut(
    @CurrentTenant() tenant: RequestTenant,
    @VersionNumber() version: number,
    @Body() { last = 200 }: DryRunDto,
  ): Promise<DryRunResultDto> {
    return this.dryRun.execute(tenant, version, last);
  }

  @Post('policies/:version/activate')
  @HttpCode(200)
  @Endpoint({
    permission: 'access_policy:activate',
    audit: 'access_policies.activated',
    summary: 'Puts a version in force, on every process within a second.',
    problems: [404, 409, 422],
    stepUp: true,
  })
  activate(@CurrentActor() actor: Actor, @VersionNumber() version: number): Promise<InForceDto> {
    return this.policies.activate(actor, version);
  }

  @Post('policies/rollback')
  @HttpCode(200)
  @Endpoint({
    permission: 'access_policy:roll_back',
    audit: 'access_policies.rolled_back',
    summary: 'Goes back to a version that was in force before, or to none. No policy keeps an Owner from it.',
    problems: [404, 409, 422],
    stepUp: true,
  })
  rollBack(@CurrentActor() actor: Actor, @Body() body: RollBackDto): Promise<InForceDto> {
    return this.policies.rollBack(actor, body);
  }

  @Post('explain')
  @HttpCode(200)
  @Endpoint({
    permission: 'access:explain',
    audit: 'access.explained',
    summary:
      'Says why you may do something, or what keeps you from it; of other people, keys and clients too, where you look after them.',
    problems: [404],
  })
  explain(
    @CurrentActor() actor: Actor,
    @CurrentTenant() tenant: RequestTenant,
    @Body() body: ExplainDto,
  ): Promise<ExplanationDto> {
    return this.explaining.execute(actor, tenant, body);
  }
}
