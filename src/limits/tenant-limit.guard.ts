import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request, Response } from 'express';
import { contextOf } from '../platform/http/request-context.js';
import { Policies } from './policies.js';
import { RateLimiter } from './rate-limiter.js';

/**
 * The limit of each tenant, and of an API key that has one of its own. After authentication, and for those alone who belong to it: a stranger who names a tenant
 * can use up nothing of it.
 */
@Injectable()
export class TenantLimitGuard implements CanActivate {
  constructor(
    private readonly policies: Policies,
    private readonly limiter: RateLimiter,
  ) {}

  canActivate(execution: ExecutionContext): true | Promise<true> {
    const http = execution.switchToHttp();
    const request = contextOf(http.getRequest<Request>());
    const { tenant, actor } = request;
    if (!tenant || actor.tenant !== tenant.id) return true;
    const response = http.getResponse<Response>();
    const admitted = this.limiter.admit(this.policies.of(tenant).requests, tenant.id, request, response);
    const { requestsPerMinute } = actor;
    if (requestsPerMinute === undefined) return admitted;
    const ofKey = (): true | Promise<true> =>
      this.limiter.admit(this.policies.ofKey(requestsPerMinute), actor.id, request, response);
    return admitted === true ? ofKey() : admitted.then(ofKey);
  }
}
