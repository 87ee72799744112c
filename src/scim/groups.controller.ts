import { Body, Controller, Delete, Get, HttpCode, Patch, Post, Put } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { Endpoint } from '../platform/http/endpoint.js';
import { ResourceId } from '../platform/http/parameters.js';
import type { Json } from './protocol/evaluate-filter.js';
import { Scim } from './scim.js';
import type { ScimAnswer } from './scim-answer.js';
import { Call, type ScimCall } from './scim-call.js';
import { ScimRoutes } from './scim-routes.js';

/** Described by SCIM itself: /scim/v2/Schemas and /scim/v2/ResourceTypes. */
@ScimRoutes()
@ApiExcludeController()
@Controller('scim/v2/Groups')
export class ScimGroupsController {
  constructor(private readonly scim: Scim) {}

  @Post()
  @Endpoint({ permission: 'scim:write', audit: 'scim_group.created', summary: 'Adds a group.' })
  create(@Call() call: ScimCall, @Body() body: Json): Promise<ScimAnswer> {
    return this.scim.create('Groups', call, body);
  }

  @Get()
  @Endpoint({ permission: 'scim:read', audit: 'scim_group.listed', summary: 'Finds groups.' })
  list(@Call() call: ScimCall): Promise<ScimAnswer> {
    return this.scim.list('Groups', call);
  }

  @Post('.search')
  @HttpCode(200)
  @Endpoint({ permission: 'scim:read', audit: 'scim_group.listed', summary: 'Finds groups.' })
  search(@Call() call: ScimCall, @Body() body: Json): Promise<ScimAnswer> {
    return this.scim.search('Groups', call, body);
  }

  @Get(':id')
  @Endpoint({ permission: 'scim:read', audit: 'scim_group.read', summary: 'Reads a group.' })
  get(@Call() call: ScimCall, @ResourceId('group') id: string): Promise<ScimAnswer> {
    return this.scim.get('Groups', call, id);
  }

  @Put(':id')
  @Endpoint({
    permission: 'scim:write',
    audit: 'scim_group.updated',
    summary: 'Replaces what is said of a group.',
  })
  replace(@Call() call: ScimCall, @ResourceId('group') id: string, @Body() body: Json): Promise<ScimAnswer> {
    return this.scim.replace('Groups', call, id, body);
  }

  @Patch(':id')
  @Endpoint({ permission: 'scim:write', audit: 'scim_group.updated', summary: 'Changes a group.' })
  patch(@Call() call: ScimCall, @ResourceId('group') id: string, @Body() body: Json): Promise<ScimAnswer> {
    return this.scim.patch('Groups', call, id, body);
  }

  @Delete(':id')
  @Endpoint({ permission: 'scim:write', audit: 'scim_group.deleted', summary: 'Takes a group away.' })
  remove(@Call() call: ScimCall, @ResourceId('group') id: string): Promise<ScimAnswer> {
    return this.scim.remove('Groups', call, id);
  }
}
