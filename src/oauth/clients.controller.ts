import { Body, Controller, Delete, Get, HttpCode, Patch, Post, Query } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { PageQuery } from '../platform/http/pagination.js';
import { CurrentActor, IfMatch, ResourceId } from '../platform/http/parameters.js';
import type { Actor } from '../platform/http/request-context.js';
import {
  ClientDto,
  ClientPageDto,
  CreateClientDto,
  CreatedClientDto,
  RotateSecretDto,
  UpdateClientDto,
} from './clients.dto.js';
import { Clients } from './clients.js';

@Controller('v1/oauth-clients')
export class ClientsController {
  constructor(private readonly clients: Clients) {}

  @Post()
  @Endpoint({
    permission: 'oauth_client:manage',
    audit: 'oauth_client.created',
    stepUp: 'of_people',
    summary: 'Adds a client of OAuth, a service account; its secret is shown this once.',
    problems: [409],
  })
  create(@CurrentActor() actor: Actor, @Body() body: CreateClientDto): Promise<CreatedClientDto> {
    return this.clients.create(actor, body);
  }

  @Get()
  @Endpoint({
    permission: 'oauth_client:read',
    audit: 'oauth_client.listed',
    summary: 'Lists the clients, without their secrets.',
  })
  list(@Query() query: PageQuery): Promise<ClientPageDto> {
    return this.clients.list(query);
  }

  @Get(':id')
  @Endpoint({
    permission: 'oauth_client:read',
    audit: 'oauth_client.read',
    summary: 'Reads a client, without its secrets.',
    problems: [404],
  })
  get(@ResourceId('client') id: string): Promise<ClientDto> {
    return this.clients.get(id);
  }

  @Patch(':id')
  @Endpoint({
    permission: 'oauth_client:manage',
    audit: 'oauth_client.updated',
    stepUp: 'of_people',
    summary: 'Changes a client. With its powers its tokens end; disabled, it gets none.',
    problems: [404, 412],
  })
  update(
    @CurrentActor() actor: Actor,
    @ResourceId('client') id: string,
    @Body() body: UpdateClientDto,
    @IfMatch() version: number | undefined,
  ): Promise<ClientDto> {
    return this.clients.update(actor, id, body, version);
  }

  @Post(':id/rotate-secret')
  @Endpoint({
    permission: 'oauth_client:manage',
    audit: 'oauth_client.secret_rotated',
    stepUp: 'of_people',
    summary: 'Makes another secret, shown this once; the former goes on for a while, and no third.',
    problems: [404, 422],
  })
  rotateSecret(
    @CurrentActor() actor: Actor,
    @ResourceId('client') id: string,
    @Body() body: RotateSecretDto,
  ): Promise<CreatedClientDto> {
    return this.clients.rotateSecret(actor, id, body);
  }

  @Delete(':id')
  @HttpCode(204)
  @Endpoint({
    permission: 'oauth_client:manage',
    audit: 'oauth_client.deleted',
    summary: 'Deletes a client. Its tokens are dead at once.',
    problems: [404, 412],
  })
  delete(
    @CurrentActor() actor: Actor,
    @ResourceId('client') id: string,
    @IfMatch() version: number | undefined,
  ): Promise<void> {
    return this.clients.delete(actor, id, version);
  }
}
