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
   * password that anybody knows. Written down rather than computed.
   */
  readonly #nobody: string;
  readonly #share = new FairShare(MAX_AT_ONCE);

  constructor(private readonly config: PasswordConfig) {
    this.#costs = `$argon2id$v=19$m=${config.memoryKib},t=${config.passes},p=${LANES}$`;
    this.#nobody = `${this.#costs}bm9ib2R5IGF0IGFsbCwgMTY$${'A'.repeat(43)}`;
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
    const work = (): Promise<boolean> => verify(stored ?? this.#nobody, canonical(password));
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

/** The same characters, however a keyboard composes them (NIST SP 800-63B section 3.1.1.2). */
function canonical(password: string): string {
  return password.normalize('NFKC');
}
