import type { Response } from 'express';
import type { Policy } from './policies.js';
import type { Taken } from './token-buckets.js';

/**
 * `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10), structured fields (RFC 9651) with an item
 * for each policy that the request was counted by; and `Retry-After` on a refusal, the same seconds as its `t`.
 */
export function announceLimit(response: Response, policy: Policy, taken: Taken): void {
  const seconds = Math.ceil((taken.allowed ? taken.fullInMs : taken.waitMs) / 1_000);
  const limit = `"${policy.name}";r=${taken.remaining};t=${seconds}`;
  const before = response.getHeader('RateLimit');
  if (before === undefined) {
    response.setHeader('RateLimit', limit);
    response.setHeader('RateLimit-Policy', policy.announcement);
  } else {
    response.setHeader('RateLimit', `${before as string}, ${limit}`);
    const policies = response.getHeader('RateLimit-Policy') as string;
    response.setHeader('RateLimit-Policy', `${policies}, ${policy.announcement}`);
  }
  if (!taken.allowed) response.setHeader('Retry-After', Math.max(seconds, 1));
}
