import { Body, Controller, Delete, Get, HttpCode, Post, Query } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { PageQuery } from '../platform/http/pagination.js';
import { CurrentActor, ResourceId } from '../platform/http/parameters.js';
import type { Actor } from '../platform/http/request-context.js';
import { ApiKeys } from './api-keys.js';
import { ApiKeyPageDto, CreateApiKeyDto, CreatedApiKeyDto, RotateApiKeyDto } from './auth.dto.js';
import { RotateApiKey } from './rotate-api-key.js';

@Controller('v1/api-keys')
export class ApiKeysController {
  constructor(
    private readonly apiKeys: ApiKeys,
    private readonly rotation: RotateApiKey,
  ) {}

  @Post()
  @Endpoint({
    permission: 'api_key:create',
    audit: 'api_key.created',
    stepUp: 'of_people',
    summary: 'Creates an API key; it is shown this once.',
  })
  create(@CurrentActor() actor: Actor, @Body() body: CreateApiKeyDto): Promise<CreatedApiKeyDto> {
    return this.apiKeys.create(actor, body);
  }

  @Get()
  @Endpoint({
    permission: 'api_key:read',
    audit: 'api_key.listed',
    summary: 'Lists API keys, without their secrets.',
  })
  list(@Query() query: PageQuery): Promise<ApiKeyPageDto> {
    return this.apiKeys.list(query);
  }

  @Post(':id/rotate')
  @Endpoint({
    permission: 'api_key:create',
    audit: 'api_key.rotated',
    stepUp: 'of_people',
    summary: 'Replaces one of your API keys; the new one is shown this once, the former goes on for a while.',
    problems: [404],
  })
  rotate(
    @CurrentActor() actor: Actor,
    @ResourceId('API key') id: string,
    @Body() { overlapSeconds = 86_400 }: RotateApiKeyDto,
  ): Promise<CreatedApiKeyDto> {
    return this.rotation.execute(actor, id, overlapSeconds);
  }

  @Delete(':id')
  @HttpCode(204)
  @Endpoint({
    permission: 'api_key:revoke',
    audit: 'api_key.revoked',
    summary: 'Revokes an API key, at once.',
    problems: [404],
  })
  revoke(@ResourceId('API key') id: string): Promise<void> {
    return this.apiKeys.revoke(id);
  }
}
