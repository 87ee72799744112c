import { Body, Controller, Delete, Get, HttpCode, Patch, Post } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { CurrentActor, CurrentTenant, ResourceId } from '../platform/http/parameters.js';
import type { Actor, RequestTenant } from '../platform/http/request-context.js';
import {
  BegunTotpDto,
  ConfirmTotpDto,
  EnrolledDto,
  NameFactorDto,
  OptionallyNamedDto,
  RecoveryCodesDto,
  SecondFactorDto,
  SecondFactorsDto,
  TrustedDevicesDto,
} from './mfa.dto.js';
import { OwnFactors } from './own-factors.js';
import { EnrolTotp } from './totp/enrol-totp.js';

@Controller('v1/me')
export class OwnFactorsController {
  constructor(
    private readonly own: OwnFactors,
    private readonly totp: EnrolTotp,
  ) {}

  @Get('second-factors')
  @Endpoint({
    permission: 'second_factor:read',
    audit: 'second_factor.listed',
    whileEnrolling: true,
    summary: 'Your second factors, and whether your organisation asks for one.',
    problems: [404],
  })
  list(@CurrentActor() actor: Actor, @CurrentTenant() tenant: RequestTenant): Promise<SecondFactorsDto> {
    return this.own.list(actor, tenant);
  }

  @Post('second-factors/totp')
  @Endpoint({
    permission: 'second_factor:manage',
    audit: 'second_factor.begun',
    stepUp: 'or_first_factor',
    whileEnrolling: true,
    summary: 'Begins setting an authenticator app up: what it has to know, also as a QR code.',
  })
  beginTotp(
    @CurrentActor() actor: Actor,
    @CurrentTenant() tenant: RequestTenant,
    @Body() { name }: OptionallyNamedDto,
  ): Promise<BegunTotpDto> {
    return this.totp.begin(actor, tenant, name);
  }

  @Post('second-factors/totp/:id/confirm')
  @HttpCode(200)
  @Endpoint({
    permission: 'second_factor:manage',
    audit: 'second_factor.enrolled',
    limit: 'sign-in',
    whileEnrolling: true,
    summary:
      'Ends setting an authenticator app up with a code of its. With the first factor come recovery codes.',
    problems: [404, 409, 422],
  })
  confirmTotp(
    @CurrentActor() actor: Actor,
    @ResourceId('second factor') id: string,
    @Body() { code }: ConfirmTotpDto,
  ): Promise<EnrolledDto> {
    return this.totp.confirm(actor, id, code);
  }

  @Patch('second-factors/:id')
  @Endpoint({
    permission: 'second_factor:manage',
    audit: 'second_factor.renamed',
    summary: 'Calls one of your second factors something else.',
    problems: [404],
  })
  rename(
    @CurrentActor() actor: Actor,
    @ResourceId('second factor') id: string,
    @Body() { name }: NameFactorDto,
  ): Promise<SecondFactorDto> {
    return this.own.rename(actor, id, name);
  }

  @Delete('second-factors/:id')
  @HttpCode(204)
  @Endpoint({
    permission: 'second_factor:manage',
    audit: 'second_factor.removed',
    stepUp: true,
    summary: 'Removes one of your second factors; not the last while your organisation asks for one.',
    problems: [404, 409],
  })
  remove(
    @CurrentActor() actor: Actor,
    @CurrentTenant() tenant: RequestTenant,
    @ResourceId('second factor') id: string,
  ): Promise<void> {
    return this.own.remove(actor, tenant, id);
  }

  @Post('recovery-codes')
  @Endpoint({
    permission: 'second_factor:manage',
    audit: 'recovery_code.replaced',
    stepUp: true,
    summary: 'Makes ten new recovery codes; the former ones do not work any more.',
    problems: [422],
  })
  replaceCodes(
    @CurrentActor() actor: Actor,
    @CurrentTenant() tenant: RequestTenant,
  ): Promise<RecoveryCodesDto> {
    return this.own.replaceCodes(actor, tenant);
  }

  @Get('trusted-devices')
  @Endpoint({
    permission: 'second_factor:read',
    audit: 'trusted_device.listed',
    summary: 'The browsers in which you need no second factor for a while.',
  })
  trustedDevices(@CurrentActor() actor: Actor): Promise<TrustedDevicesDto> {
    return this.own.trustedDevices(actor);
  }

  @Delete('trusted-devices/:id')
  @HttpCode(204)
  @Endpoint({
    permission: 'second_factor:manage',
    audit: 'trusted_device.revoked',
    summary: 'Ends the trust in one of these browsers.',
    problems: [404],
  })
  revokeDevice(@CurrentActor() actor: Actor, @ResourceId('trusted device') id: string): Promise<void> {
    return this.own.revokeDevice(actor, id);
  }
}
