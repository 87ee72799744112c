import { Body, Controller, Delete, Get, HttpCode, Post, Put, Query } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { PageQuery } from '../platform/http/pagination.js';
import { CurrentActor, ResourceId } from '../platform/http/parameters.js';
import type { Actor } from '../platform/http/request-context.js';
import {
  ImpersonationDto,
  ImpersonationPageDto,
  ImpersonationSettingsDto,
  RequestedImpersonationDto,
  RequestImpersonationDto,
  WithdrawImpersonationDto,
} from './impersonation.dto.js';
import { ImpersonationSettings } from './impersonation-settings.js';
import { Impersonations } from './impersonations.js';

@Controller('v1/access')
export class ImpersonationsController {
  constructor(
    private readonly impersonations: Impersonations,
    private readonly settings: ImpersonationSettings,
  ) {}

  @Post('impersonations')
  @Endpoint({
    permission: 'impersonation:request',
    audit: 'impersonation.requested',
    summary: 'Asks to act for a person of an organisation for a while. Needs the operator key.',
    problems: [404, 409],
  })
  request(@Body() body: RequestImpersonationDto): Promise<RequestedImpersonationDto> {
    return this.impersonations.request(body);
  }

  @Post('impersonations/:id/withdraw')
  @HttpCode(204)
  @Endpoint({
    permission: 'impersonation:withdraw',
    audit: 'impersonation.ended',
    summary:
      'Ends at once an impersonation that you have asked for, or takes it back. Needs the operator key.',
    problems: [404],
  })
  withdraw(@ResourceId('impersonation') id: string, @Body() body: WithdrawImpersonationDto): Promise<void> {
    return this.impersonations.withdraw(id, body);
  }

  @Post('impersonations/leave')
  @HttpCode(204)
  @Endpoint({
    permission: 'impersonation:leave',
    audit: 'impersonation.ended',
    summary: 'Ends at once the impersonation whose key this is. Whoever acts by none has none: 404.',
    problems: [404],
  })
  leave(@CurrentActor() actor: Actor): Promise<void> {
    return this.impersonations.leave(actor);
  }

  @Get('impersonations')
  @Endpoint({
    permission: 'impersonation:read',
    audit: 'impersonation.listed',
    summary: 'Lists who of support has acted in your organisation, as whom and why, the newest first.',
  })
  list(@Query() query: PageQuery): Promise<ImpersonationPageDto> {
    return this.impersonations.list(query);
  }

  @Post('impersonations/:id/approve')
  @HttpCode(200)
  @Endpoint({
    permission: 'impersonation:approve',
    audit: 'impersonation.approved',
    summary: 'Lets an impersonation begin that was asked for.',
    problems: [404, 409],
    stepUp: true,
  })
  approve(@CurrentActor() actor: Actor, @ResourceId('impersonation') id: string): Promise<ImpersonationDto> {
    return this.impersonations.approve(actor, id);
  }

  @Delete('impersonations/:id')
  @HttpCode(204)
  @Endpoint({
    permission: 'impersonation:end',
    audit: 'impersonation.ended',
    summary: 'Ends an impersonation at once, or refuses one that was asked for.',
    problems: [404],
  })
  end(@ResourceId('impersonation') id: string): Promise<void> {
    return this.impersonations.end(id);
  }

  @Get('impersonation-settings')
  @Endpoint({
    permission: 'impersonation:read',
    audit: 'impersonation.settings_read',
    summary: 'Reads whether support may begin without being approved.',
  })
  read(): Promise<ImpersonationSettingsDto> {
    return this.settings.read();
  }

  @Put('impersonation-settings')
  @Endpoint({
    permission: 'impersonation:approve',
    audit: 'impersonation.settings_updated',
    summary: 'Sets whether support may begin without being approved.',
    stepUp: true,
  })
  set(
    @CurrentActor() actor: Actor,
    @Body() body: ImpersonationSettingsDto,
  ): Promise<ImpersonationSettingsDto> {
    return this.settings.set(actor, body);
  }
}
