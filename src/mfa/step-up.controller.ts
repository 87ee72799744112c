import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { CurrentActor, CurrentTenant } from '../platform/http/parameters.js';
import type { Actor, RequestTenant } from '../platform/http/request-context.js';
import { StepUpDto, StepUpOptionsDto, SteppedUpDto } from './mfa.dto.js';
import { StepUpWithFactor } from './step-up-with-factor.js';

@Controller('v1/auth/step-up')
export class StepUpController {
  constructor(private readonly stepUp: StepUpWithFactor) {}

  @Post()
  @HttpCode(200)
  @Endpoint({
    permission: 'session:step_up',
    audit: 'session.stepped_up',
    limit: 'sign-in',
    whileEnrolling: true,
    summary:
      'Proves again that it is you: by a second factor, or having none, your password. For five minutes your session may do what asks for that.',
    problems: [401],
  })
  prove(
    @CurrentActor() actor: Actor,
    @CurrentTenant() tenant: RequestTenant,
    @Body() body: StepUpDto,
  ): Promise<SteppedUpDto> {
    return this.stepUp.execute(actor, tenant, body);
  }

  @Post('options')
  @HttpCode(200)
  @Endpoint({
    permission: 'session:step_up',
    audit: 'second_factor.asked',
    limit: 'sign-in',
    whileEnrolling: true,
    summary: 'What may prove again that it is you; for a security key, what it is to sign.',
  })
  options(@CurrentActor() actor: Actor, @CurrentTenant() tenant: RequestTenant): Promise<StepUpOptionsDto> {
    return this.stepUp.options(actor, tenant);
  }
}
