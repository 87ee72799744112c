import { Body, Controller, Get, HttpCode, Post, Query } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { CurrentActor, ResourceId } from '../platform/http/parameters.js';
import type { Actor } from '../platform/http/request-context.js';
import {
  FullScimRequestDto,
  ReplayDto,
  ScimRequestDto,
  ScimRequestPageDto,
  ScimRequestsQuery,
} from './directories.dto.js';
import { ReadScimRequests } from './read-scim-requests.js';
import { ReplayScimRequest } from './replay-scim-request.js';

@Controller('v1/scim/requests')
export class ScimRequestsController {
  constructor(
    private readonly requests: ReadScimRequests,
    private readonly replay: ReplayScimRequest,
  ) {}

  @Get()
  @Endpoint({
    permission: 'scim_request:read',
    audit: 'scim_request.listed',
    summary:
      'Lists what directories have asked for in the last thirty days, newest first, with why it was refused.',
  })
  list(@Query() query: ScimRequestsQuery): Promise<ScimRequestPageDto> {
    return this.requests.list(query);
  }

  @Get(':id')
  @Endpoint({
    permission: 'scim_request:read',
    audit: 'scim_request.read',
    summary: 'Reads such a request in full, to be looked at or sent again.',
    problems: [404],
  })
  get(@ResourceId('request') id: string): Promise<FullScimRequestDto> {
    return this.requests.get(id);
  }

  @Post(':id/replay')
  @HttpCode(200)
  @Endpoint({
    permission: 'scim_request:replay',
    audit: 'scim_request.replayed',
    stepUp: true,
    summary:
      'Runs a refused request again, as its directory would; answers the entry that the log has of that, done or refused.',
    problems: [404, 409],
  })
  again(
    @CurrentActor() actor: Actor,
    @ResourceId('request') id: string,
    @Body() body: ReplayDto,
  ): Promise<ScimRequestDto> {
    return this.replay.execute(actor, id, body);
  }
}
