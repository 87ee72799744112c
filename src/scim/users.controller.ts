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
@Controller('scim/v2/Users')
export class ScimUsersController {
  constructor(private readonly scim: Scim) {}

  @Post()
  @Endpoint({ permission: 'scim:write', audit: 'scim_user.created', summary: 'Adds a person.' })
  create(@Call() call: ScimCall, @Body() body: Json): Promise<ScimAnswer> {
    return this.scim.create('Users', call, body);
  }

  @Get()
  @Endpoint({ permission: 'scim:read', audit: 'scim_user.listed', summary: 'Finds people.' })
  list(@Call() call: ScimCall): Promise<ScimAnswer> {
    return this.scim.list('Users', call);
  }

  @Post('.search')
  @HttpCode(200)
  @Endpoint({ permission: 'scim:read', audit: 'scim_user.listed', summary: 'Finds people.' })
  search(@Call() call: ScimCall, @Body() body: Json): Promise<ScimAnswer> {
    return this.scim.search('Users', call, body);
  }

  @Get(':id')
  @Endpoint({ permission: 'scim:read', audit: 'scim_user.read', summary: 'Reads a person.' })
  get(@Call() call: ScimCall, @ResourceId('user') id: string): Promise<ScimAnswer> {
    return this.scim.get('Users', call, id);
  }

  @Put(':id')
  @Endpoint({
    permission: 'scim:write',
    audit: 'scim_user.updated',
    summary: 'Replaces what is said of a person.',
  })
  replace(@Call() call: ScimCall, @ResourceId('user') id: string, @Body() body: Json): Promise<ScimAnswer> {
    return this.scim.replace('Users', call, id, body);
  }

  @Patch(':id')
  @Endpoint({ permission: 'scim:write', audit: 'scim_user.updated', summary: 'Changes a person.' })
  patch(@Call() call: ScimCall, @ResourceId('user') id: string, @Body() body: Json): Promise<ScimAnswer> {
    return this.scim.patch('Users', call, id, body);
  }

  @Delete(':id')
  @Endpoint({ permission: 'scim:write', audit: 'scim_user.deleted', summary: 'Takes a person away.' })
  remove(@Call() call: ScimCall, @ResourceId('user') id: string): Promise<ScimAnswer> {
    return this.scim.remove('Users', call, id);
  }
}
