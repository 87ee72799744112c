import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { Endpoint, PUBLIC } from '../../platform/http/endpoint.js';
import { CurrentActor, CurrentTenant } from '../../platform/http/parameters.js';
import type { Actor, RequestTenant } from '../../platform/http/request-context.js';
import { ChallengeDto, EnrolledDto } from '../mfa.dto.js';
import { EnrolSms } from './enrol-sms.js';
import { SendCode } from './send-code.js';
import { BeginSmsDto, BegunSmsDto, ConfirmSmsDto, SentCodeDto } from './sms.dto.js';

@Controller('v1')
export class SmsController {
  constructor(
    private readonly enrol: EnrolSms,
    private readonly codes: SendCode,
  ) {}

  @Post('me/second-factors/sms')
  @HttpCode(200)
  @Endpoint({
    permission: 'second_factor:manage',
    audit: 'second_factor.begun',
    limit: 'sign-in',
    stepUp: 'or_first_factor',
    whileEnrolling: true,
    summary: 'Begins setting a telephone up: sends it a code in a text message.',
    problems: [422, 503],
  })
  begin(
    @CurrentActor() actor: Actor,
    @CurrentTenant() tenant: RequestTenant,
    @Body() body: BeginSmsDto,
  ): Promise<BegunSmsDto> {
    return this.enrol.begin(actor, tenant, body);
  }

  @Post('me/second-factors/sms/confirm')
  @HttpCode(200)
  @Endpoint({
    permission: 'second_factor:manage',
    audit: 'second_factor.enrolled',
    limit: 'sign-in',
    whileEnrolling: true,
    summary:
      'Ends setting a telephone up with the code that was sent; it takes the place of a former one. With the first factor come recovery codes.',
    problems: [401, 409, 422],
  })
  confirm(
    @CurrentActor() actor: Actor,
    @CurrentTenant() tenant: RequestTenant,
    @Body() body: ConfirmSmsDto,
  ): Promise<EnrolledDto> {
    return this.enrol.confirm(actor, tenant, body);
  }

  @Post('auth/second-factor/sms')
  @HttpCode(200)
  @Endpoint({
    permission: PUBLIC,
    reason: 'the challenge in the body is the credential, and is not used up',
    audit: 'text_message.sent',
    limit: 'sign-in',
    summary: 'Sends the code by which a sign-in can be completed, in a text message.',
    problems: [401, 403, 422, 503],
  })
  forSignIn(@Body() { challenge }: ChallengeDto): Promise<SentCodeDto> {
    return this.codes.forSignIn(challenge);
  }

  @Post('auth/step-up/sms')
  @HttpCode(200)
  @Endpoint({
    permission: 'session:step_up',
    audit: 'text_message.sent',
    limit: 'sign-in',
    whileEnrolling: true,
    summary: 'Sends the code by which you can prove again that it is you, in a text message.',
    problems: [401, 422, 503],
  })
  forStepUp(
    @CurrentActor() actor: Actor,
    @CurrentTenant() tenant: RequestTenant,
    @Body() { challenge }: ChallengeDto,
  ): Promise<SentCodeDto> {
    return this.codes.forStepUp(actor, tenant, challenge);
  }
}
