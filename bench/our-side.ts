/** What the benches of the built application share: limits that nobody reaches, and answers that have to be as expected. */
import type { Answer } from '../test/tour/api.ts';

/** Every request is counted as always, and none is one too many. */
export const UNREACHED_LIMITS: Record<string, string> = Object.fromEntries(
  ['IP', 'TENANT', 'SIGN_IN', 'TENANT_SIGN_IN'].flatMap((name) => [
    [`RATE_LIMIT_${name}_PER_${name.endsWith('SIGN_IN') ? 'MINUTE' : 'SECOND'}`, '1000000'],
    [`RATE_LIMIT_${name}_BURST`, '1000000'],
  ]),
);

export async function must(asked: Promise<Answer>, status: number): Promise<unknown> {
  const answer = await asked;
  if (answer.status !== status) throw new Error(`Expected ${status}, got ${answer.status}: ${answer.text}`);
  return answer.body;
}
