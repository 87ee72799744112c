import { Body, Controller, Get, Put } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { CurrentTenant, IfMatch } from '../platform/http/parameters.js';
import type { RequestTenant } from '../platform/http/request-context.js';
import { ReplaceSignInSettingsDto, SignInSettingsDto } from './sign-in-settings.dto.js';
import { SignInSettings } from './sign-in-settings.js';

@Controller('v1/auth/settings')
export class SignInSettingsController {
  constructor(private readonly settings: SignInSettings) {}

  @Get()
  @Endpoint({
    permission: 'auth_settings:read',
    audit: 'auth_settings.read',
    summary: 'How people sign in to your organisation, and for how long.',
  })
  read(@CurrentTenant() tenant: RequestTenant): Promise<SignInSettingsDto> {
    return this.settings.read(tenant);
  }

  @Put()
  @Endpoint({
    permission: 'auth_settings:update',
    audit: 'auth_settings.updated',
    stepUp: true,
    summary: 'Sets how people sign in to your organisation. Holds for open sessions too.',
    problems: [412],
  })
  replace(
    @CurrentTenant() tenant: RequestTenant,
    @Body() body: ReplaceSignInSettingsDto,
    @IfMatch() version: number | undefined,
  ): Promise<SignInSettingsDto> {
    return this.settings.replace(tenant, body, version);
  }
}
