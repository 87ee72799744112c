import { Injectable } from '@nestjs/common';
import { networkOf } from '../limits/index.js';
import { currentTenant, TenantDatabase } from '../platform/database/index.js';
import { currentRequest } from '../platform/http/request-context.js';
import { PasswordHashing, SignInBusy } from '../passwords/index.js';
import { SignInAttempts, Turns, type Attempt } from '../sign-in/index.js';
import type { UserEntity } from './identity.entity.js';
import { placeOf } from './session-binding.js';

/** Somebody whose password is looked at; undefined for an address that nobody has. */
type Person = Pick<UserEntity, 'id' | 'passwordHash'> | undefined | null;
/** What is to be written where the password was the right one, in the transaction of what it lets somebody do. */
export interface Proved {
  /** Where nothing else is asked for. */
  readonly wholly: () => Promise<void>;
  /** Where a second factor is to be proved still: nobody is known here by a password alone. */
  readonly halfway: () => Promise<void>;
}

/** Attempts at one account from one place that wait for each other: the right password, many times at once, is no attack. */
const IN_LINE = 16;

/** Looks at a password of the tenant in scope: counted, and in the same time whether or not there is such a person. */
@Injectable()
export class VerifyPassword {
  readonly #turns = new Turns(IN_LINE);

  constructor(
    private readonly database: TenantDatabase,
    private readonly hashing: PasswordHashing,
    private readonly attempts: SignInAttempts,
  ) {}

  /**
   * Calls `proved` where it is the person's password and one may be tried; the next attempt waits until that has ended.
   * @param account whose password it is said to be, in its canonical form
   * @returns undefined where it was not
   * @throws {SignInBusy} which counts as no attempt
   */
  execute<T>(
    person: Person,
    account: string,
    password: string,
    proved: (proved: Proved) => Promise<T>,
  ): Promise<T | undefined> {
    const request = currentRequest();
    if (!request) throw new Error('A password comes with a request.');
    const place = placeOf();
    const attempt = { userId: person?.id, account, place, network: networkOf(request.ip) };
    const key = `${currentTenant().id} ${account} ${place.toString('hex')}`;
    return this.#turns.take(
      key,
      () => new SignInBusy(),
      async () => {
        const found = await this.#look(person, attempt, password);
        return found && proved(found);
      },
    );
  }

  async #look(person: Person, attempt: Attempt, password: string): Promise<Proved | undefined> {
    const counted = await this.attempts.count(attempt);
    const { matches, outdated } = await this.hashing
      .verify(person?.passwordHash ?? undefined, password, { refused: !counted.admitted })
      .catch(async (error: unknown) => {
        await this.attempts.notJudged(counted);
        throw error;
      });
    if (!person || !matches || !counted.admitted) return undefined;
    const renewed = outdated ? await this.hashing.hash(password) : undefined;
    const renew = async (): Promise<void> => {
      if (renewed !== undefined) await this.#renew(person, renewed);
    };
    return {
      wholly: async () => {
        await this.attempts.succeeded(counted);
        await this.attempts.remember(person.id, attempt.place);
        await renew();
      },
      halfway: async () => {
        await this.attempts.halfway(counted);
        await renew();
      },
    };
  }

  /** Not where the password was changed meanwhile. */
  async #renew({ id, passwordHash }: NonNullable<Person>, renewed: string): Promise<void> {
    await this.database.query({
      text: 'UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2',
      values: [id, passwordHash, renewed],
    });
  }
}
