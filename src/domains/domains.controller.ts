import { Body, Controller, Delete, Get, HttpCode, Post } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { CurrentActor, ResourceId } from '../platform/http/parameters.js';
import type { Actor } from '../platform/http/request-context.js';
import { Domains } from './domains.js';
import { AddDomainDto, DomainDto, DomainListDto } from './domains.dto.js';

@Controller('v1/domains')
export class DomainsController {
  constructor(private readonly domains: Domains) {}

  @Post()
  @Endpoint({
    permission: 'domain:manage',
    audit: 'domain.added',
    stepUp: true,
    summary: 'Names a domain of the organisation, and answers what has to be in the DNS to prove it.',
    problems: [409],
  })
  add(@CurrentActor() actor: Actor, @Body() body: AddDomainDto): Promise<DomainDto> {
    return this.domains.add(actor, body.name);
  }

  @Get()
  @Endpoint({ permission: 'domain:read', audit: 'domain.listed', summary: 'Lists the domains.' })
  list(): Promise<DomainListDto> {
    return this.domains.list();
  }

  @Post(':id/verify')
  @HttpCode(200)
  @Endpoint({
    permission: 'domain:manage',
    audit: 'domain.verified',
    stepUp: true,
    summary:
      'Looks at the DNS: where the record is there, the domain is the organisation’s, and nobody else’s.',
    problems: [404, 409, 422],
  })
  verify(@CurrentActor() actor: Actor, @ResourceId('domain') id: string): Promise<DomainDto> {
    return this.domains.verify(actor, id);
  }

  @Delete(':id')
  @HttpCode(204)
  @Endpoint({
    permission: 'domain:manage',
    audit: 'domain.deleted',
    stepUp: true,
    summary: 'Lets go of a domain. Nobody is linked by it any more; who was linked stays.',
    problems: [404],
  })
  delete(@CurrentActor() actor: Actor, @ResourceId('domain') id: string): Promise<void> {
    return this.domains.delete(actor, id);
  }
}
