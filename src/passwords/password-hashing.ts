import { hash, verify } from '@node-rs/argon2';
import { Injectable } from '@nestjs/common';
import { PasswordConfig } from '../platform/config/index.js';
import { tenantInScope } from '../platform/database/index.js';
import { FairShare } from './fair-share.js';
import { SignInBusy } from './passwords.errors.js';

/**
 * Hashing takes a thread and its memory each: what waits beyond this is refused rather than queued. Organisations share it,
 * so that a flood of sign-ins at one refuses nobody's of another.
 */
const MAX_AT_ONCE = 64;
const LANES = 1;
/** RFC 9106, section 3.1: eight for each lane. */
const LEAST_MEMORY_KIB = 8;
const COSTS = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=1\$/;
/** Salt and hash of nobody's password. Written down rather than computed. */
const NOBODY = `bm9ib2R5IGF0IGFsbCwgMTY$${'A'.repeat(43)}`;

export interface Verified {
  readonly matches: boolean;
  /** The stored hash was made at other costs than those that are configured now: to be made anew. */
  readonly outdated: boolean;
}

/** Argon2id (RFC 9106) at the configured costs; each hash says which it was made with, so older ones go on being verified. */
@Injectable()
export class PasswordHashing {
  /** The head of every hash that is made now. */
  readonly #costs: string;
  /**
   * Stands in for the hash of somebody who does not exist, so that both cases take as long: the same costs, and no
   * password that anybody knows.
   */
  readonly #nobody: string;
  readonly #share = new FairShare(MAX_AT_ONCE);

  constructor(private readonly config: PasswordConfig) {
    this.#costs = `$argon2id$v=19$m=${config.memoryKib},t=${config.passes},p=${LANES}$`;
    this.#nobody = `${this.#costs}${NOBODY}`;
  }

  hash(password: string): Promise<string> {
    // The library's default algorithm is argon2id; its enum cannot be imported with isolated modules.
    const costs = { memoryCost: this.config.memoryKib, timeCost: this.config.passes, parallelism: LANES };
    return this.#limited(() => hash(canonical(password), costs));
  }

  /**
   * With `undefined` for the stored hash the answer is no, after the same time.
   * @param refused whether the answer is no whatever the password is: a flood of that leaves the room of the organisation's
   * other sign-ins alone
   */
  async verify(
    stored: string | undefined,
    password: string,
    { refused = false }: { refused?: boolean } = {},
  ): Promise<Verified> {
    const rest = stored === undefined ? undefined : restOf(stored, this.config);
    const work = async (): Promise<boolean> => {
      const matches = await verify(stored ?? this.#nobody, canonical(password));
      if (rest !== undefined) await verify(rest, canonical(password));
      return matches;
    };
    const matches = await this.#limited(work, refused ? ' refused' : '');
    return {
      matches: stored !== undefined && matches,
      outdated: stored !== undefined && !stored.startsWith(this.#costs),
    };
  }

  #limited<T>(work: () => Promise<T>, kind = ''): Promise<T> {
    return this.#share.take(`${tenantInScope() ?? ''}${kind}`, () => new SignInBusy(), work);
  }
}

/**
 * Of a hash that was made at lower costs than those of today, nobody's hash at what it lacks of them: computed as well, it
 * shows by no time that somebody is here who has not signed in since.
 */
export function restOf(stored: string, { memoryKib, passes: today }: PasswordConfig): string | undefined {
  const [, memory = '', passes = ''] = COSTS.exec(stored) ?? [];
  const lacking = memoryKib - Math.floor((Number(memory) * Number(passes)) / today);
  if (memory === '' || lacking < LEAST_MEMORY_KIB) return undefined;
  return `$argon2id$v=19$m=${lacking},t=${today},p=${LANES}$${NOBODY}`;
}

/** The same characters, however a keyboard composes them (NIST SP 800-63B section 3.1.1.2). */
function canonical(password: string): string {
  return password.normalize('NFKC');
}
