import type { Response } from 'express';
import { expect, it } from 'vitest';
import { LimitsConfig } from '../platform/config/index.js';
import { Policies } from './policies.js';
import { announceLimit } from './rate-limit-headers.js';

const rate = { perSecond: 100, burst: 500 };
const policies = new Policies(
  new LimitsConfig(
    { ip: rate, tenant: rate, signIn: { perSecond: 0.5, burst: 30 }, tenantSignIn: rate },
    undefined,
  ),
);

function response(): { sent: Record<string, string>; response: Response } {
  const sent: Record<string, string> = {};
  const setHeader = (name: string, value: string | number): void => {
    sent[name] = String(value);
  };
  return {
    sent,
    response: { setHeader, getHeader: (name: string) => sent[name] } as unknown as Response,
  };
}

it('an answer names each limit that it was counted by, with what is left and when all of it is there again', () => {
  const { sent, response: to } = response();
  announceLimit(to, policies.ip, { allowed: true, remaining: 499, fullInMs: 10, waitMs: 0 });
  expect(sent).toEqual({ RateLimit: '"ip";r=499;t=1', 'RateLimit-Policy': '"ip";q=500;w=5' });
  const own = policies.of({ rateLimits: { requests: { perSecond: 3, burst: 10 } } }).requests;
  announceLimit(to, own, { allowed: true, remaining: 9, fullInMs: 1_001, waitMs: 0 });
  expect(sent).toEqual({
    RateLimit: '"ip";r=499;t=1, "tenant";r=9;t=2',
    'RateLimit-Policy': '"ip";q=500;w=5, "tenant";q=10;w=4',
  });
});

it('a refusal says when to come again, in the same seconds twice, and never at once', () => {
  const { sent, response: to } = response();
  announceLimit(to, policies.signIn, { allowed: false, remaining: 0, fullInMs: 60_000, waitMs: 1_234 });
  expect(sent).toEqual({
    RateLimit: '"sign-in";r=0;t=2',
    'RateLimit-Policy': '"sign-in";q=30;w=60',
    'Retry-After': '2',
  });
});

it("a tenant's own limits replace those of the installation one by one", () => {
  const signIns = { perMinute: 6, burst: 3 };
  expect(policies.of({ rateLimits: { signIns } })).toMatchObject({
    requests: { name: 'tenant', ...rate },
    signIns: { name: 'tenant-sign-in', perSecond: 0.1, burst: 3 },
  });
  expect(policies.of({})).toMatchObject({ requests: rate, signIns: rate });
});
