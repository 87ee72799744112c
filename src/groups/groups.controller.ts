import { Body, Controller, Delete, Get, HttpCode, Patch, Post, Query } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { PageQuery } from '../platform/http/pagination.js';
import { CurrentActor, IfMatch, ResourceId } from '../platform/http/parameters.js';
import type { Actor } from '../platform/http/request-context.js';
import {
  ChangeMembersDto,
  GroupDto,
  GroupFieldsDto,
  GroupMemberPageDto,
  GroupPageDto,
  SubgroupListDto,
} from './groups.dto.js';
import { ManageGroups } from './manage-groups.js';

@Controller('v1/groups')
export class GroupsController {
  constructor(private readonly groups: ManageGroups) {}

  @Post()
  @Endpoint({
    permission: 'group:manage',
    audit: 'group.created',
    summary: 'Creates a group that is looked after by hand.',
    problems: [409],
  })
  create(@CurrentActor() actor: Actor, @Body() body: GroupFieldsDto): Promise<GroupDto> {
    return this.groups.create(actor, body);
  }

  @Get()
  @Endpoint({ permission: 'group:read', audit: 'group.listed', summary: 'Lists groups.' })
  list(@Query() query: PageQuery): Promise<GroupPageDto> {
    return this.groups.list(query);
  }

  @Get(':id')
  @Endpoint({
    permission: 'group:read',
    audit: 'group.read',
    summary: 'Reads a group.',
    problems: [404],
  })
  get(@ResourceId('group') id: string): Promise<GroupDto> {
    return this.groups.get(id);
  }

  @Patch(':id')
  @Endpoint({
    permission: 'group:manage',
    audit: 'group.updated',
    summary: 'Renames a group.',
    problems: [404, 409, 412],
  })
  rename(
    @ResourceId('group') id: string,
    @Body() body: GroupFieldsDto,
    @IfMatch() version: number | undefined,
  ): Promise<GroupDto> {
    return this.groups.rename(id, body, version);
  }

  @Delete(':id')
  @HttpCode(204)
  @Endpoint({
    permission: 'group:manage',
    audit: 'group.deleted',
    summary: 'Deletes a group; the people and groups that were in it stay.',
    problems: [404, 409, 412],
  })
  delete(
    @CurrentActor() actor: Actor,
    @ResourceId('group') id: string,
    @IfMatch() version: number | undefined,
  ): Promise<void> {
    return this.groups.delete(actor, id, version);
  }

  @Get(':id/members')
  @Endpoint({
    permission: 'group:read',
    audit: 'group.members_read',
    summary: 'Lists the people who are in a group directly.',
    problems: [404],
  })
  members(@ResourceId('group') id: string, @Query() query: PageQuery): Promise<GroupMemberPageDto> {
    return this.groups.listMembers(id, query);
  }

  @Get(':id/subgroups')
  @Endpoint({
    permission: 'group:read',
    audit: 'group.members_read',
    summary: 'Lists the groups that are in a group directly.',
    problems: [404],
  })
  subgroups(@ResourceId('group') id: string): Promise<SubgroupListDto> {
    return this.groups.listSubgroups(id);
  }

  @Patch(':id/members')
  @Endpoint({
    permission: 'group:manage',
    audit: 'group.members_changed',
    stepUp: 'of_people',
    summary:
      'Puts people and groups into a group, and takes others out. What follows from it holds everywhere within a second.',
    problems: [404, 409, 412],
  })
  changeMembers(
    @CurrentActor() actor: Actor,
    @ResourceId('group') id: string,
    @Body() body: ChangeMembersDto,
    @IfMatch() version: number | undefined,
  ): Promise<GroupDto> {
    return this.groups.changeMembers(actor, id, body, version);
  }
}
