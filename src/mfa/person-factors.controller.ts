import { Controller, Delete, Get, HttpCode, Query } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { PageQuery } from '../platform/http/pagination.js';
import { CurrentActor, CurrentTenant, ResourceId } from '../platform/http/parameters.js';
import type { Actor, RequestTenant } from '../platform/http/request-context.js';
import { PersonFactorsDto, PersonFactorsPageDto, ResetFactorsDto } from './mfa.dto.js';
import { PersonFactors } from './person-factors.js';

@Controller('v1')
export class PersonFactorsController {
  constructor(private readonly persons: PersonFactors) {}

  @Get('second-factors')
  @Endpoint({
    permission: 'user:read',
    audit: 'second_factor.listed',
    summary: 'Who in the organisation has which second factors, and of whom one is asked.',
  })
  list(@CurrentTenant() tenant: RequestTenant, @Query() query: PageQuery): Promise<PersonFactorsPageDto> {
    return this.persons.list(tenant, query);
  }

  @Get('users/:id/second-factors')
  @Endpoint({
    permission: 'user:read',
    audit: 'second_factor.listed',
    summary: 'Which second factors a person has, and whether one is asked of them.',
    problems: [404],
  })
  read(@CurrentTenant() tenant: RequestTenant, @ResourceId('user') id: string): Promise<PersonFactorsDto> {
    return this.persons.read(tenant, id);
  }

  @Delete('users/:id/second-factors')
  @HttpCode(200)
  @Endpoint({
    permission: 'user:update',
    audit: 'second_factor.reset',
    status: 200,
    stepUp: true,
    summary: "Takes a person's second factors away, who has lost them. Their sessions end.",
    problems: [404, 409, 410],
  })
  reset(@CurrentActor() actor: Actor, @ResourceId('user') id: string): Promise<ResetFactorsDto> {
    return this.persons.reset(actor, id);
  }
}
