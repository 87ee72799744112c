import { Body, Controller, Get, HttpCode, Patch, Post, Res } from '@nestjs/common';
import { ApiHeader } from '@nestjs/swagger';
import type { Response } from 'express';
import { Endpoint, PUBLIC } from '../platform/http/endpoint.js';
import { CurrentActor, CurrentTenant, OptionalTenant } from '../platform/http/parameters.js';
import type { Actor, RequestTenant } from '../platform/http/request-context.js';
import { MeDto, RefreshDto, SignInDto, SteppedUpDto, StepUpDto, TokensDto, UpdateMeDto } from './auth.dto.js';
import { PasswordSignIn } from './password-sign-in.js';
import { Sessions } from './sessions.js';
import { sessionCookie } from './session-cookie.js';
import { StepUp } from './step-up.js';
import { Users } from './users.js';

@Controller()
export class AuthController {
  constructor(
    private readonly passwordSignIn: PasswordSignIn,
    private readonly sessions: Sessions,
    private readonly users: Users,
    private readonly steppingUp: StepUp,
  ) {}

  @Post('v1/auth/login')
  @HttpCode(200)
  @ApiHeader({ name: 'X-Tenant-Slug', required: true, description: 'The organisation to sign in to.' })
  @Endpoint({
    permission: PUBLIC,
    reason: 'whoever signs in has no credential yet',
    audit: 'session.created',
    limit: 'sign-in',
    summary: 'Signs in with e-mail and password, in the organisation that X-Tenant-Slug names.',
    problems: [401, 403],
  })
  async signIn(
    @OptionalTenant() tenant: RequestTenant | undefined,
    @Body() body: SignInDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<TokensDto> {
    const { sessionSecret, sessionSeconds, ...tokens } = await this.passwordSignIn.execute(
      tenant,
      body.email,
      body.password,
    );
    response.setHeader('Set-Cookie', sessionCookie(sessionSecret, sessionSeconds));
    return tokens;
  }

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
    summary: 'Ends the session: its cookie, access and refresh tokens are dead.',
    problems: [422],
  })
  async signOut(@CurrentActor() actor: Actor, @Res({ passthrough: true }) response: Response): Promise<void> {
    await this.sessions.end(actor);
    response.setHeader('Set-Cookie', sessionCookie('', 0));
  }

  @Post('v1/auth/step-up')
  @HttpCode(200)
  @Endpoint({
    permission: 'session:step_up',
    audit: 'session.stepped_up',
    limit: 'sign-in',
    summary: 'Proves your password again; for five minutes your session may do what asks for that.',
  })
  stepUp(@CurrentActor() actor: Actor, @Body() { password }: StepUpDto): Promise<SteppedUpDto> {
    return this.steppingUp.prove(actor, password);
  }

  @Get('v1/me')
  @Endpoint({
    permission: 'profile:read',
    audit: 'profile.read',
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
