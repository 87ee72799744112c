import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request, Response } from 'express';
import { contextOf, type RequestContext } from '../platform/http/request-context.js';
import { networkOf } from './network-of.js';
import { Policies } from './policies.js';
import { RateLimiter } from './rate-limiter.js';

/**
 * How often an address may try to sign in: to all organisations together, and to each. Per address also where a tenant
 * is named, so that nobody can shut its people out. Before the password is looked at, which is expensive.
 */
@Injectable()
export class SignInLimitGuard implements CanActivate {
  constructor(
    private readonly policies: Policies,
    private readonly limiter: RateLimiter,
  ) {}

  canActivate(execution: ExecutionContext): true | Promise<true> {
    const http = execution.switchToHttp();
    const request = contextOf(http.getRequest<Request>());
    return request.endpoint?.limit === 'sign-in' ? this.#admit(request, http.getResponse<Response>()) : true;
  }

  async #admit(request: RequestContext, response: Response): Promise<true> {
    const network = networkOf(request.ip);
    await this.limiter.admit(this.policies.signIn, network, request, response);
    const { tenant } = request;
    if (!tenant) return true;
    const key = `${tenant.id} ${network}`;
    return this.limiter.admit(this.policies.of(tenant).signIns, key, request, response);
  }
}
