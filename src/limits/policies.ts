import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { LimitsConfig, type Rate } from '../platform/config/index.js';
import type { RequestTenant } from '../platform/http/request-context.js';
import type { RateLimits } from '../platform/http/tenant-rules.js';
import type { Quota } from './token-buckets.js';

export type PolicyName = 'ip' | 'tenant' | 'sign-in' | 'tenant-sign-in' | 'api-key';

/** A quota with its texts for headers, which are made once and not for each answer. */
export interface Policy extends Quota {
  readonly name: PolicyName;
  /** Its item of `RateLimit-Policy`. */
  readonly announcement: string;
  /** With fewer requests left than this, answers tell of it. */
  readonly announcedBelow: number;
}

interface TenantPolicies {
  readonly requests: Policy;
  readonly signIns: Policy;
}

/** Which limits hold: those of the installation, and those that the operator has set for a tenant. */
@Injectable()
export class Policies {
  /** Of each address. */
  readonly ip: Policy;
  /** Sign-ins of each address, to whichever organisation. */
  readonly signIn: Policy;
  readonly #defaults: TenantPolicies;
  /** By the registry's object, which is a new one when it was changed. */
  readonly #overridden = new WeakMap<RateLimits, TenantPolicies>();

  /** By their number: keys have few different ones. */
  readonly #ofKeys = new LRUCache<number, Policy>({ max: 1_000 });

  constructor({ rates }: LimitsConfig) {
    // Of interest to few: told of from where half is gone. Headers are most of what a limit costs a request.
    this.ip = { ...policy('ip', rates.ip), announcedBelow: rates.ip.burst / 2 };
    this.signIn = policy('sign-in', rates.signIn);
    this.#defaults = {
      requests: policy('tenant', rates.tenant),
      signIns: policy('tenant-sign-in', rates.tenantSignIn),
    };
  }

  of({ rateLimits }: Pick<RequestTenant, 'rateLimits'>): TenantPolicies {
    if (!rateLimits) return this.#defaults;
    const known = this.#overridden.get(rateLimits) ?? this.#override(rateLimits);
    this.#overridden.set(rateLimits, known);
    return known;
  }

  /** Of an API key that has a limit of its own: as many at once, after a pause. */
  ofKey(requestsPerMinute: number): Policy {
    const known = this.#ofKeys.get(requestsPerMinute);
    if (known) return known;
    const made = policy('api-key', { perSecond: requestsPerMinute / 60, burst: requestsPerMinute });
    this.#ofKeys.set(requestsPerMinute, made);
    return made;
  }

  #override({ requests, signIns }: RateLimits): TenantPolicies {
    return {
      requests: requests ? policy('tenant', requests) : this.#defaults.requests,
      signIns: signIns
        ? policy('tenant-sign-in', { perSecond: signIns.perMinute / 60, burst: signIns.burst })
        : this.#defaults.signIns,
    };
  }
}

function policy(name: PolicyName, { perSecond, burst }: Rate): Policy {
  // The quota is what the bucket holds, the window the time in which it fills.
  const announcement = `"${name}";q=${burst};w=${Math.ceil(burst / perSecond)}`;
  return { name, perSecond, burst, announcement, announcedBelow: Infinity };
}
