import { Body, Controller, Headers, HttpCode, Post, Res } from '@nestjs/common';
import { ApiHeader } from '@nestjs/swagger';
import type { Response } from 'express';
import { TokensDto } from '../../auth/index.js';
import { Endpoint, PUBLIC } from '../../platform/http/endpoint.js';
import { CurrentActor, CurrentTenant, OptionalTenant } from '../../platform/http/parameters.js';
import type { Actor, RequestTenant } from '../../platform/http/request-context.js';
import {
  BegunWebauthnDto,
  EnrolledDto,
  EnrolWebauthnDto,
  PasskeyOptionsDto,
  SignInWithPasskeyDto,
} from '../mfa.dto.js';
import { tokensOf } from '../sign-in.controller.js';
import { EnrolWebauthn } from './enrol-webauthn.js';
import { SignInWithPasskey } from './sign-in-with-passkey.js';

@Controller('v1')
export class WebauthnController {
  constructor(
    private readonly enrol: EnrolWebauthn,
    private readonly passkeys: SignInWithPasskey,
  ) {}

  @Post('me/second-factors/webauthn/options')
  @HttpCode(200)
  @Endpoint({
    permission: 'second_factor:manage',
    audit: 'second_factor.begun',
    stepUp: 'or_first_factor',
    whileEnrolling: true,
    summary: 'Begins setting a security key or passkey up: what `navigator.credentials.create()` needs.',
  })
  begin(@CurrentActor() actor: Actor, @CurrentTenant() tenant: RequestTenant): Promise<BegunWebauthnDto> {
    return this.enrol.begin(actor, tenant);
  }

  @Post('me/second-factors/webauthn')
  @Endpoint({
    permission: 'second_factor:manage',
    audit: 'second_factor.enrolled',
    limit: 'sign-in',
    whileEnrolling: true,
    summary: 'Ends setting a security key or passkey up. With the first factor come recovery codes.',
    problems: [409, 422],
  })
  finish(
    @CurrentActor() actor: Actor,
    @CurrentTenant() tenant: RequestTenant,
    @Body() body: EnrolWebauthnDto,
  ): Promise<EnrolledDto> {
    return this.enrol.finish(actor, tenant, body);
  }

  @Post('auth/passkey/options')
  @HttpCode(200)
  @ApiHeader({ name: 'X-Tenant-Slug', required: true, description: 'The organisation to sign in to.' })
  @Endpoint({
    permission: PUBLIC,
    reason: 'whoever signs in has no credential yet',
    audit: 'passkey.asked',
    limit: 'sign-in',
    summary: 'Begins a sign-in with a passkey: what `navigator.credentials.get()` needs.',
    problems: [403],
  })
  options(
    @OptionalTenant() tenant: RequestTenant | undefined,
    @Headers('x-tenant-slug') slug = '',
  ): Promise<PasskeyOptionsDto> {
    return this.passkeys.begin(tenant, slug);
  }

  @Post('auth/passkey')
  @HttpCode(200)
  @Endpoint({
    permission: PUBLIC,
    reason: 'what the passkey has signed is the credential',
    audit: 'session.created',
    limit: 'sign-in',
    summary: 'Signs in with a passkey, which has looked at who holds it: no password, and no second factor.',
    problems: [401, 403],
  })
  async signIn(
    @Body() body: SignInWithPasskeyDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<TokensDto> {
    return tokensOf(response, await this.passkeys.complete(body));
  }
}
