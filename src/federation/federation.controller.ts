import { Body, Controller, Get, HttpCode, Patch, Post, Put } from '@nestjs/common';
import { DomainDto, UpdateDomainDto } from '../domains/index.js';
import { Endpoint, PUBLIC } from '../platform/http/endpoint.js';
import { CurrentActor, IfMatch, ResourceId } from '../platform/http/parameters.js';
import type { Actor } from '../platform/http/request-context.js';
import { BreakGlass } from './break-glass.js';
import { Discover } from './discover.js';
import { BreakGlassDto, DiscoverDto, DiscoveredDto, SetBreakGlassDto } from './sign-in.dto.js';

@Controller('v1')
export class FederationController {
  constructor(
    private readonly discover: Discover,
    private readonly breakGlass: BreakGlass,
  ) {}

  @Post('auth/discover')
  @HttpCode(200)
  @Endpoint({
    permission: PUBLIC,
    reason: 'whoever signs in has no credential yet',
    audit: 'sso.discovered',
    limit: 'sign-in',
    summary:
      'Says where somebody signs in, by the domain of the address. Whether the person is known it does not say.',
    problems: [403],
  })
  discovered(@Body() body: DiscoverDto): Promise<DiscoveredDto> {
    return this.discover.execute(body.email);
  }

  @Patch('domains/:id')
  @Endpoint({
    permission: 'domain:manage',
    audit: 'domain.updated',
    stepUp: true,
    summary: 'Refuses passwords for the people of a verified domain, or lets them be used again.',
    problems: [404, 412, 422],
  })
  updateDomain(
    @ResourceId('domain') id: string,
    @Body() body: UpdateDomainDto,
    @IfMatch() version: number | undefined,
  ): Promise<DomainDto> {
    return this.breakGlass.setSsoRequired(id, body.ssoRequired, version);
  }

  @Get('sso/break-glass')
  @Endpoint({
    permission: 'sso:read',
    audit: 'sso.break_glass_read',
    summary: 'The owners who may use a password although their domain refuses passwords.',
  })
  getBreakGlass(): Promise<BreakGlassDto> {
    return this.breakGlass.get();
  }

  @Put('sso/break-glass')
  @Endpoint({
    permission: 'break_glass:update',
    audit: 'sso.break_glass_set',
    stepUp: true,
    summary: 'Names the owners who may use a password although their domain refuses passwords.',
    problems: [422],
  })
  setBreakGlass(@CurrentActor() actor: Actor, @Body() body: SetBreakGlassDto): Promise<BreakGlassDto> {
    return this.breakGlass.set(actor, body.userIds);
  }
}
