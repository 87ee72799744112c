import { Injectable } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import { sendError } from '../platform/http/problem.js';
import { errorFormOf } from '../platform/http/scim-error.js';
import { contextOf } from '../platform/http/request-context.js';
import { RateLimited } from './limits.errors.js';
import { networkOf } from './network-of.js';
import { Policies } from './policies.js';
import { RateLimiter } from './rate-limiter.js';

/**
 * The limit of each address, before anything is done for it: its body is not read, its credential not looked at, and
 * nothing written for it. A middleware and no guard, because paths that do not exist count as well.
 */
@Injectable()
export class AddressLimit {
  constructor(
    private readonly policies: Policies,
    private readonly limiter: RateLimiter,
  ) {}

  admit(http: Request, response: Response, next: NextFunction): void {
    const request = contextOf(http);
    const refused = (error: unknown): void => {
      if (error instanceof RateLimited) sendError(response, error, request.requestId, errorFormOf(request));
      else next(error);
    };
    try {
      const admitted = this.limiter.admit(this.policies.ip, networkOf(request.ip), request, response);
      if (admitted === true) next();
      else admitted.then(() => next(), refused);
    } catch (error) {
      refused(error);
    }
  }
}
