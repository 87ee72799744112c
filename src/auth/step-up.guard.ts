import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { TenantDatabase } from '../platform/database/index.js';
import { contextOf } from '../platform/http/request-context.js';
import { StepUp } from './step-up.js';

/** Lets nobody do what `@Endpoint` marks with `stepUp` who has not proved the password in the last minutes. */
@Injectable()
export class StepUpGuard implements CanActivate {
  constructor(
    private readonly stepUp: StepUp,
    private readonly database: TenantDatabase,
  ) {}

  canActivate(execution: ExecutionContext): true | Promise<true> {
    const { endpoint, tenant, actor } = contextOf(execution.switchToHttp().getRequest<Request>());
    if (!endpoint?.stepUp) return true;
    if (!tenant) throw new Error('Only routes of an organisation ask for a password again.');
    const mode = endpoint.stepUp;
    if (mode === 'of_people' && actor.type !== 'user') return true;
    return this.database
      .within(tenant, () =>
        mode === 'of_people'
          ? this.stepUp.requireLately(actor)
          : this.stepUp.require(actor, mode === 'or_first_factor'),
      )
      .then(() => true);
  }
}
