import { expect } from 'vitest';
import { client, must } from './client.js';
import { print } from './print.js';

/** Whatever lives on is given up: the time until then is what it is judged by. */
const LIMIT_MS = 5_000;

/**
 * Milliseconds from when the revocation was answered until a process last served each credential, from asking on. `before`
 * happens while they are being asked with.
 */
export async function lastServed(
  baseUrl: string,
  dying: readonly string[],
  before: () => Promise<unknown>,
  revoke: () => Promise<unknown>,
): Promise<number[]> {
  for (const credential of dying) await must(client(baseUrl, credential).get('/v1/me'), 200);
  let revokedAt = Infinity;
  const probing = dying.map(async (credential) => {
    const served: number[] = [];
    for (let until = Infinity; ;) {
      const askedAt = performance.now();
      const { status } = await client(baseUrl, credential).get('/v1/me');
      expect([200, 401]).toContain(status);
      if (status === 401) return served;
      served.push(askedAt);
      until = Math.min(until, revokedAt === Infinity ? Infinity : revokedAt + LIMIT_MS);
      if (askedAt > until) return served;
    }
  });
  await before();
  await revoke();
  revokedAt = performance.now();
  return (await Promise.all(probing)).map((served) => Math.max(0, (served.at(-1) ?? 0) - revokedAt));
}

/** Of what is measured in each round; prints it too. */
export async function p99Of(
  what: string,
  rounds: number,
  measure: () => Promise<readonly number[]>,
): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) times.push(...(await measure()));
  const ordered = times.toSorted((a, b) => a - b);
  const p99 = ordered[Math.ceil(ordered.length * 0.99) - 1] ?? Infinity;
  print(`${what}: p99 ${Math.round(p99)} ms of ${times.length}`);
  return p99;
}
