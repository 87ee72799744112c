import { Body, Controller, Delete, Get, HttpCode, Post, Query } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { CurrentActor, CurrentTenant, ResourceId } from '../platform/http/parameters.js';
import type { Actor, RequestTenant } from '../platform/http/request-context.js';
import { CreateGrantDto, GrantDto, GrantPageDto, GrantsQuery } from './grants.dto.js';
import { Grants } from './grants.js';

/** Roles granted on the whole organisation, on a project, on an agent: the path says where, and there the permission is asked for. */
@Controller('v1')
export class GrantsController {
  constructor(private readonly grants: Grants) {}

  @Post('grants')
  @Endpoint({
    permission: 'grant:manage',
    audit: 'grant.created',
    stepUp: 'of_people',
    summary: 'Grants a role in the whole organisation, of which you have everything yourself.',
    problems: [404, 409],
  })
  create(
    @CurrentActor() actor: Actor,
    @CurrentTenant() tenant: RequestTenant,
    @Body() body: CreateGrantDto,
  ): Promise<GrantDto> {
    return this.grants.create(actor, { kind: 'organisation', id: tenant.id }, body);
  }

  @Get('grants')
  @Endpoint({
    permission: 'grant:read',
    audit: 'grant.listed',
    summary: 'Lists all grants of the organisation, wherever they are.',
  })
  list(@Query() query: GrantsQuery): Promise<GrantPageDto> {
    return this.grants.list(query);
  }

  @Delete('grants/:id')
  @HttpCode(204)
  @Endpoint({
    permission: 'grant:manage',
    audit: 'grant.revoked',
    summary: 'Revokes a grant, wherever it is; at once.',
    problems: [404],
  })
  revoke(@ResourceId('grant') id: string): Promise<void> {
    return this.grants.revoke(id);
  }

  @Post('projects/:id/grants')
  @Endpoint({
    permission: 'grant:manage',
    on: { path: 'project' },
    audit: 'grant.created',
    stepUp: 'of_people',
    summary: 'Grants a role on a project and what is in it, of which you have everything yourself there.',
    problems: [404, 409],
  })
  createOnProject(
    @CurrentActor() actor: Actor,
    @ResourceId('project') id: string,
    @Body() body: CreateGrantDto,
  ): Promise<GrantDto> {
    return this.grants.create(actor, { kind: 'project', id }, body);
  }

  @Get('projects/:id/grants')
  @Endpoint({
    permission: 'grant:read',
    on: { path: 'project' },
    audit: 'grant.listed',
    summary: 'Lists the grants on a project and on its agents.',
    problems: [404],
  })
  listOfProject(@ResourceId('project') id: string, @Query() query: GrantsQuery): Promise<GrantPageDto> {
    return this.grants.list(query, { kind: 'project', id });
  }

  @Delete('projects/:id/grants/:grant')
  @HttpCode(204)
  @Endpoint({
    permission: 'grant:manage',
    on: { path: 'project' },
    audit: 'grant.revoked',
    summary: 'Revokes a grant on a project or on one of its agents; at once.',
    problems: [404],
  })
  revokeOnProject(
    @ResourceId('project') id: string,
    @ResourceId('grant', 'grant') grant: string,
  ): Promise<void> {
    return this.grants.revoke(grant, { kind: 'project', id });
  }

  @Post('agents/:id/grants')
  @Endpoint({
    permission: 'grant:manage',
    on: { path: 'agent' },
    audit: 'grant.created',
    stepUp: 'of_people',
    summary: 'Grants a role on an agent, of which you have everything yourself there.',
    problems: [404, 409],
  })
  createOnAgent(
    @CurrentActor() actor: Actor,
    @ResourceId('agent') id: string,
    @Body() body: CreateGrantDto,
  ): Promise<GrantDto> {
    return this.grants.create(actor, { kind: 'agent', id }, body);
  }

  @Get('agents/:id/grants')
  @Endpoint({
    permission: 'grant:read',
    on: { path: 'agent' },
    audit: 'grant.listed',
    summary: 'Lists the grants on an agent.',
    problems: [404],
  })
  listOfAgent(@ResourceId('agent') id: string, @Query() query: GrantsQuery): Promise<GrantPageDto> {
    return this.grants.list(query, { kind: 'agent', id });
  }

  @Delete('agents/:id/grants/:grant')
  @HttpCode(204)
  @Endpoint({
    permission: 'grant:manage',
    on: { path: 'agent' },
    audit: 'grant.revoked',
    summary: 'Revokes a grant on an agent; at once.',
    problems: [404],
  })
  revokeOnAgent(@ResourceId('agent') id: string, @ResourceId('grant', 'grant') grant: string): Promise<void> {
    return this.grants.revoke(grant, { kind: 'agent', id });
  }
}
