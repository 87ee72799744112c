import { hash, verify } from '@node-rs/argon2';
import { SignInBusy } from './auth.errors.js';

/** OWASP's first choice for argon2id: 19 MiB, 2 passes, 1 lane. */
// The library's default algorithm is argon2id; its enum cannot be imported with isolated modules.
const OPTIONS = {
  memoryCost: 19_456,
  timeCost: 2,
  parallelism: 1,
} as const;
/** Hashing takes a thread and 19 MiB each: what waits beyond this is refused rather than queued. */
const MAX_AT_ONCE = 64;
let atOnce = 0;

/**
 * Stands in for the hash of somebody who does not exist, so that both cases take as long: the same costs, and no password
 * that anybody knows. Written down rather than computed, so that loading this file starts no thread.
 */
const NOBODY = `$argon2id$v=19$m=${OPTIONS.memoryCost},t=${OPTIONS.timeCost},p=${OPTIONS.parallelism}$bm9ib2R5IGF0IGFsbCwgMTY$${'A'.repeat(43)}`;

export function hashPassword(password: string): Promise<string> {
  return limited(() => hash(password, OPTIONS));
}

/** With `undefined` for the stored hash the answer is no, after the same time. */
export async function passwordMatches(stored: string | undefined, password: string): Promise<boolean> {
  const matches = await limited(() => verify(stored ?? NOBODY, password));
  return stored !== undefined && matches;
}

async function limited<T>(work: () => Promise<T>): Promise<T> {
  if (atOnce >= MAX_AT_ONCE) throw new SignInBusy();
  atOnce += 1;
  try {
    return await work();
  } finally {
    atOnce -= 1;
  }
}
