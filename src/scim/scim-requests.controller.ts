import { Controller, Get, Query } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { ResourceId } from '../platform/http/parameters.js';
import { FullScimRequestDto, ScimRequestPageDto, ScimRequestsQuery } from './directories.dto.js';
import { ReadScimRequests } from './read-scim-requests.js';

@Controller('v1/scim/requests')
export class ScimRequestsController {
  constructor(private readonly requests: ReadScimRequests) {}

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
}
