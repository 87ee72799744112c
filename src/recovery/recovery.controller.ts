import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiHeader } from '@nestjs/swagger';
import { Endpoint, PUBLIC } from '../platform/http/endpoint.js';
import { CurrentActor, CurrentTenant, OptionalTenant } from '../platform/http/parameters.js';
import type { Actor, RequestTenant } from '../platform/http/request-context.js';
import { AskReset } from './ask-reset.js';
import { ChangePassword } from './change-password.js';
import { ConfirmReset } from './confirm-reset.js';
import { AskResetDto, ChangePasswordDto, ConfirmResetDto } from './recovery.dto.js';

@Controller('v1/auth')
export class RecoveryController {
  constructor(
    private readonly changePassword: ChangePassword,
    private readonly askReset: AskReset,
    private readonly confirmReset: ConfirmReset,
  ) {}

  @Post('password')
  @HttpCode(204)
  @Endpoint({
    permission: 'password:change',
    audit: 'password.changed',
    status: 204,
    limit: 'sign-in',
    summary: 'Changes your password. Your other sessions end, and access tokens: refresh yours.',
  })
  change(
    @CurrentActor() actor: Actor,
    @CurrentTenant() tenant: RequestTenant,
    @Body() body: ChangePasswordDto,
  ): Promise<void> {
    return this.changePassword.execute(actor, tenant, body);
  }

  @Post('password-reset')
  @HttpCode(202)
  @ApiHeader({ name: 'X-Tenant-Slug', required: true, description: 'The organisation of the account.' })
  @Endpoint({
    permission: PUBLIC,
    reason: 'whoever has forgotten the password has no credential',
    audit: 'password.reset_requested',
    status: 202,
    limit: 'sign-in',
    summary:
      'Has a link mailed by which a password is set anew. The answer is the same for whoever is unknown.',
    problems: [403],
  })
  ask(@OptionalTenant() tenant: RequestTenant | undefined, @Body() { email }: AskResetDto): Promise<void> {
    return this.askReset.execute(tenant, email);
  }

  @Post('password-reset/confirm')
  @HttpCode(204)
  @Endpoint({
    permission: PUBLIC,
    reason: 'the token in the body, which was mailed, is the credential',
    audit: 'password.reset',
    status: 204,
    limit: 'sign-in',
    summary: 'Sets a new password by a link that was mailed. All sessions end.',
    problems: [403, 422],
  })
  confirm(@Body() body: ConfirmResetDto): Promise<void> {
    return this.confirmReset.execute(body);
  }
}
