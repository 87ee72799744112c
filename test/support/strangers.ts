import { expect } from 'vitest';
import { client, refusal, type Answer } from './client.js';
import type { Person, TestTenant } from './tenants.js';

/** How a sign-in fails, whatever the reason. */
export const FAILED = { status: 401, code: 'SIGN_IN_FAILED' };

let strangers = 0;
/** Somebody at an address that nobody has signed in from, as a trusted proxy reports it. */
export function stranger(): Record<string, string> {
  strangers += 1;
  return {
    'x-forwarded-for': `198.${18 + (strangers >> 14)}.${(strangers >> 6) & 255}.${(strangers & 63) * 4}`,
  };
}

/** Signs in, from nowhere that is known unless other headers are given. */
export function attempt(
  { baseUrl }: { baseUrl: string },
  { slug }: Pick<TestTenant, 'slug'>,
  { email, password }: Pick<Person, 'email' | 'password'>,
  headers = stranger(),
): Promise<Answer<{ accessToken: string; code?: string }>> {
  const anyone = client(baseUrl, undefined, { 'x-tenant-slug': slug, ...headers });
  return anyone.post('/v1/auth/login', { email, password });
}

export async function lockForStrangers(
  app: { baseUrl: string },
  tenant: TestTenant,
  person: Person,
): Promise<void> {
  for (let at = 0; at < 5; at += 1)
    expect(await refusal(attempt(app, tenant, { ...person, password: 'wrong' }) as never)).toEqual(FAILED);
}
