import { Body, Controller, Get, HttpCode, Patch, Post, Res } from '@nestjs/common';
import type { Response } from 'express';
import { Endpoint, PUBLIC } from '../platform/http/endpoint.js';
import { CurrentActor, CurrentTenant } from '../platform/http/parameters.js';
import type { Actor, RequestTenant } from '../platform/http/request-context.js';
import { MeDto, RefreshDto, TokensDto, UpdateMeDto } from './auth.dto.js';
import { Sessions } from './sessions.js';
import { sessionCookie } from './session-cookie.js';
import { Users } from './users.js';

@Controller()
export class AuthController {
  constructor(
    private readonly sessions: Sessions,
    private readonly users: Users,
  ) {}

  @Post('v1/auth/refresh')
  @HttpCode(200)
  @Endpoint({
    permission: PUBLIC,
    reason: 'the refresh token in the body is the credential',
    audit: 'session.refreshed',
    summary: 'Exchanges a refresh token for new tokens. A second use ends the session.',
    problems: [401, 403],
  })
  refresh(@Body() body: RefreshDto): Promise<TokensDto> {
    return this.sessions.refresh(body.refreshToken);
  }

  @Post('v1/auth/logout')
  @HttpCode(204)
  @Endpoint({
    permission: 'session:end',
    audit: 'session.ended',
    whileEnrolling: true,
    summary: 'Ends the session: its cookie, access and refresh tokens are dead.',
    problems: [422],
  })
  async signOut(@CurrentActor() actor: Actor, @Res({ passthrough: true }) response: Response): Promise<void> {
    await this.sessions.end(actor);
    response.setHeader('Set-Cookie', sessionCookie('', 0));
  }

  @Get('v1/me')
  @Endpoint({
    permission: 'profile:read',
    audit: 'profile.read',
    whileEnrolling: true,
    summary: 'Who you are, and in which organisation.',
  })
  me(@CurrentActor() actor: Actor, @CurrentTenant() tenant: RequestTenant): Promise<MeDto> {
    return this.users.me(actor, tenant);
  }

  @Patch('v1/me')
  @Endpoint({
    permission: 'profile:update',
    audit: 'profile.updated',
    summary: 'Corrects your own name and telephone number. A client (OAuth) has none: 404.',
    problems: [404],
  })
  updateMe(
    @CurrentActor() actor: Actor,
    @CurrentTenant() tenant: RequestTenant,
    @Body() body: UpdateMeDto,
  ): Promise<MeDto> {
    return this.users.updateMe(actor, tenant, body);
  }
}
