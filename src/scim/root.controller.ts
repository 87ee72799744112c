import { Body, Controller, Get, HttpCode, Post } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { Endpoint } from '../platform/http/endpoint.js';
import { CurrentActor } from '../platform/http/parameters.js';
import type { Actor } from '../platform/http/request-context.js';
import { Bulk } from './bulk.js';
import { OwnUser } from './own-user.js';
import type { Json } from './protocol/evaluate-filter.js';
import type { ScimAnswer } from './scim-answer.js';
import { Call, type ScimCall } from './scim-call.js';
import { SearchAll } from './search-all.js';
import { ScimRoutes } from './scim-routes.js';

@ScimRoutes()
@ApiExcludeController()
@Controller('scim/v2')
export class ScimRootController {
  constructor(
    private readonly bulk: Bulk,
    private readonly searchAll: SearchAll,
    private readonly own: OwnUser,
  ) {}

  @Post('Bulk')
  @HttpCode(200)
  @Endpoint({ permission: 'scim:write', audit: 'scim.bulk_done', summary: 'Does several changes.' })
  bulkChange(@Call() call: ScimCall, @Body() body: Json): Promise<ScimAnswer> {
    return this.bulk.execute(call, body);
  }

  @Post('.search')
  @HttpCode(200)
  @Endpoint({ permission: 'scim:read', audit: 'scim.searched', summary: 'Finds people and groups.' })
  search(@Call() call: ScimCall, @Body() body: Json): Promise<ScimAnswer> {
    return this.searchAll.execute(call, body);
  }

  @Get('Me')
  @Endpoint({
    permission: 'profile:read',
    audit: 'profile.read',
    summary: 'What a directory says of the person who asks. A directory itself is nobody.',
  })
  me(@CurrentActor() actor: Actor, @Call() call: ScimCall): Promise<ScimAnswer> {
    return this.own.execute(actor, call);
  }
}
