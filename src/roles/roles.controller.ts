import { Body, Controller, Delete, Get, HttpCode, Patch, Post, Query } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { PageQuery } from '../platform/http/pagination.js';
import { CurrentActor, IfMatch, ResourceId } from '../platform/http/parameters.js';
import type { Actor } from '../platform/http/request-context.js';
import { CreateRoleDto, RoleDto, RolePageDto, UpdateRoleDto } from './roles.dto.js';
import { Roles } from './roles.js';

@Controller('v1/roles')
export class RolesController {
  constructor(private readonly roles: Roles) {}

  @Post()
  @Endpoint({
    permission: 'role:manage',
    audit: 'role.created',
    stepUp: 'of_people',
    summary: 'Makes a role of permissions that you have yourself.',
    problems: [409],
  })
  create(@CurrentActor() actor: Actor, @Body() body: CreateRoleDto): Promise<RoleDto> {
    return this.roles.create(actor, body);
  }

  @Get()
  @Endpoint({
    permission: 'role:read',
    audit: 'role.listed',
    summary: "Lists the organisation's own roles; the default ones are in GET /v1/access/permissions.",
  })
  list(@Query() query: PageQuery): Promise<RolePageDto> {
    return this.roles.list(query);
  }

  @Patch(':id')
  @Endpoint({
    permission: 'role:manage',
    audit: 'role.updated',
    stepUp: 'of_people',
    summary: 'Changes a role, for everybody who holds it. Needs all that it has then.',
    problems: [404, 409, 412],
  })
  update(
    @CurrentActor() actor: Actor,
    @ResourceId('role') id: string,
    @Body() body: UpdateRoleDto,
    @IfMatch() version: number | undefined,
  ): Promise<RoleDto> {
    return this.roles.update(actor, id, body, version);
  }

  @Delete(':id')
  @HttpCode(204)
  @Endpoint({
    permission: 'role:manage',
    audit: 'role.deleted',
    summary: 'Takes a role away that nobody holds.',
    problems: [404, 409, 412],
  })
  delete(@ResourceId('role') id: string, @IfMatch() version: number | undefined): Promise<void> {
    return this.roles.delete(id, version);
  }
}
