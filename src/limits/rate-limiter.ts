import { Injectable } from '@nestjs/common';
import type { Response } from 'express';
import type { RequestContext } from '../platform/http/request-context.js';
import { RateLimited } from './limits.errors.js';
import type { Policy } from './policies.js';
import { announceLimit } from './rate-limit-headers.js';
import { Refusals } from './refusals.js';
import { TokenBuckets, type Taken } from './token-buckets.js';

/** Counts a request by a policy, says so in its answer, and refuses it where it is one too many. */
@Injectable()
export class RateLimiter {
  constructor(
    private readonly buckets: TokenBuckets,
    private readonly refusals: Refusals,
  ) {}

  /** @throws RateLimited, at once or by the promise */
  admit(policy: Policy, key: string, request: RequestContext, response: Response): true | Promise<true> {
    const taken = this.buckets.take(policy, key);
    return taken instanceof Promise
      ? taken.then((answer) => this.#decide(policy, answer, request, response))
      : this.#decide(policy, taken, request, response);
  }

  #decide(policy: Policy, taken: Taken, request: RequestContext, response: Response): true {
    if (taken.remaining < policy.announcedBelow) announceLimit(response, policy, taken);
    if (taken.allowed) return true;
    this.refusals.count(policy.name, request);
    // The event of all refusals of a while is its event too.
    request.recorded = true;
    throw new RateLimited(policy.name);
  }
}
