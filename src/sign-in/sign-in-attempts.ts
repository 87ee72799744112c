import { Injectable } from '@nestjs/common';
import { EventRecorder } from '../audit/index.js';
import { FieldEncryption } from '../encryption/index.js';
import { currentTenant, TenantDatabase } from '../platform/database/index.js';
import { currentRequest } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';

/** Somebody who is about to prove who they are. */
export interface Attempt {
  /** Undefined for an address that nobody here has: it is counted all the same, and nobody can tell by that. */
  readonly userId: string | undefined;
  /** The address that was given, in its canonical form. */
  readonly account: string;
  /** Fingerprint of network and browser. */
  readonly place: Buffer;
  /** Whom the address of the caller is counted as. */
  readonly network: string;
}

/** What an attempt was counted by: to be given back where it succeeded. */
export interface Counted {
  readonly admitted: boolean;
  readonly keys: readonly string[];
}

interface Lock extends Record<string, unknown> {
  readonly key: string;
  readonly attempts: number;
  readonly locked_until: Date | null;
}

/** Attempts in a row after which an account is locked, for people in places that it does not know or does. */
const ACCOUNT_LIMIT = 5;
/**
 * An address is often a whole office: it may fail more often, over all accounts of the organisation, before strangers in it
 * are locked out. Twenty are four people who have forgotten a password; after them there is one guess for each
 * lock, of an hour in the end.
 */
const ADDRESS_LIMIT = 20;
const PLACES_KEPT = 20;
const PLACE_KNOWN_DAYS = 90;
/** Addresses and unknown accounts share so many rows, so that however many are tried, there are no more. */
const ADDRESS_ROWS_BYTES = 2;
const UNKNOWN_ROWS_BYTES = 1;
/** What the keys of attempts at a second factor begin with. */
const FACTOR = 'factor-';
const NOBODY = '00000000-0000-0000-0000-000000000000';

/**
 * How often signing in has failed, counted in the tenant's own schema, so that all processes count together. Counted is
 * before the password is looked at, and given back after: attempts at the same moment cannot all be the fifth.
 *
 * Whoever has signed in from a place before is counted there, apart from everybody else: an attacker elsewhere locks the
 * account for strangers, not for its owner. A lock is a minute, then two, at most an hour; nothing is written while it
 * holds.
 */
@Injectable()
export class SignInAttempts {
  constructor(
    private readonly database: TenantDatabase,
    private readonly encryption: FieldEncryption,
    private readonly work: UnitOfWork,
    private readonly events: EventRecorder,
  ) {}

  /**
   * Counts an attempt, of the tenant in scope. One that is not admitted must be answered as a wrong password is.
   * @param factor whether it is at a second factor: these are counted apart, as the right password does not end them
   */
  async count(attempt: Attempt, { factor = false }: { factor?: boolean } = {}): Promise<Counted> {
    const limits = await this.#limits(attempt, factor ? FACTOR : '');
    const taken = await this.work.bookkeeping(
      'the attempt is an event of its own, whatever comes of it',
      async () => {
        const rows: Lock[] = [];
        for (const [key, limit] of limits) rows.push(...(await this.#take(key, limit)));
        return rows;
      },
    );
    for (const lock of taken)
      if (lock.locked_until) await this.#record(attempt, lock, limits.get(lock.key) ?? 0);
    return { admitted: taken.length === limits.size, keys: [...limits.keys()] };
  }

  /** All was right: what was counted of the account in this place is over. In a transaction of the caller. */
  async succeeded({ keys: [own = '', address] }: Counted): Promise<void> {
    const over = [own, own.replace(FACTOR, '')];
    await this.database.query({ text: 'DELETE FROM sign_in_attempts WHERE key = ANY ($1)', values: [over] });
    // Others may have failed from there: who has an account of their own cannot clear the address by it.
    if (address !== undefined) await this.#giveBack(address, ADDRESS_LIMIT);
  }

  /** The password was never looked at: the attempt does not count. */
  async notJudged(counted: Counted): Promise<void> {
    await this.work.bookkeeping('what was not looked at was no attempt', () => this.halfway(counted));
  }

  /** It was right, and something else is to be proved still: it does not count, and ends nothing. In a transaction of the caller. */
  async halfway({ keys: [own = '', address] }: Counted): Promise<void> {
    await this.#giveBack(own, ACCOUNT_LIMIT);
    if (address !== undefined) await this.#giveBack(address, ADDRESS_LIMIT);
  }

  /** From now on the person is known in this place. In a transaction of the caller. */
  async remember(userId: string, place: Buffer): Promise<void> {
    await this.database.query({
      text: `INSERT INTO sign_in_places AS p (user_id, fingerprint) VALUES ($1, $2)
        ON CONFLICT (user_id, fingerprint) DO UPDATE SET seen_at = now() WHERE p.seen_at < now() - interval '1 day'`,
      values: [userId, place],
    });
    await this.database.query({
      text: `DELETE FROM sign_in_places WHERE user_id = $1 AND fingerprint NOT IN (
        SELECT fingerprint FROM sign_in_places WHERE user_id = $1 ORDER BY seen_at DESC LIMIT ${PLACES_KEPT})`,
      values: [userId],
    });
  }

  /** Lets the person try again, from wherever. In a transaction of the caller. */
  async unlock(userId: string): Promise<void> {
    await this.database.query({
      text: `DELETE FROM sign_in_attempts WHERE key = ANY ($1) OR starts_with(key, $2) OR starts_with(key, $3)`,
      values: [
        [`account:${userId}`, `${FACTOR}account:${userId}`],
        `place:${userId}:`,
        `${FACTOR}place:${userId}:`,
      ],
    });
  }

  /**
   * Lets strangers at an address try again. Others that share its row are let in with it. In a transaction of the caller.
   * @param network as the limits count it
   * @returns the key by which it is counted, and stands in the log
   */
  async unlockAddress(network: string): Promise<string> {
    const key = await this.#addressKey(network);
    await this.database.query({
      text: 'DELETE FROM sign_in_attempts WHERE key = $1',
      values: [key],
    });
    return key;
  }

  async #addressKey(network: string): Promise<string> {
    return `address:${await this.#row('sign-in address', network, ADDRESS_ROWS_BYTES)}`;
  }

  async #row(purpose: string, value: string, bytes: number): Promise<string> {
    return (await this.encryption.pseudonym(currentTenant(), purpose, value)).toString('hex', 0, bytes);
  }

  /** The keys that an attempt counts by, its own first, with how many in a row each allows. */
  async #limits(
    { userId, account, place, network }: Attempt,
    of: typeof FACTOR | '',
  ): Promise<Map<string, number>> {
    const known = await this.database.query({
      text: `SELECT 1 FROM sign_in_places WHERE user_id = $1 AND fingerprint = $2
        AND seen_at > now() - interval '${PLACE_KNOWN_DAYS} days'`,
      values: [userId ?? NOBODY, place],
    });
    if (known.length > 0) return new Map([[`${of}place:${userId}:${place.toString('hex')}`, ACCOUNT_LIMIT]]);
    const nobody = await this.#row('sign-in account', account, UNKNOWN_ROWS_BYTES);
    const own = `${of}${userId === undefined ? `nobody:${nobody}` : `account:${userId}`}`;
    return new Map([
      [own, ACCOUNT_LIMIT],
      [await this.#addressKey(network), ADDRESS_LIMIT],
    ]);
  }

  /** One more of a key that is not locked; nothing of one that is. A day without any, and it begins anew. */
  #take(key: string, limit: number): Promise<Lock[]> {
    const next = `CASE WHEN a.last_at < now() - interval '1 day' THEN 1 ELSE a.attempts + 1 END`;
    return this.database.query<Lock>({
      text: `INSERT INTO sign_in_attempts AS a (key, attempts, last_at) VALUES ($1, 1, now())
        ON CONFLICT (key) DO UPDATE SET attempts = ${next}, last_at = now(),
          locked_until = CASE WHEN ${next} >= $2
            THEN now() + least(60, power(2, least(${next} - $2, 6))) * interval '1 minute' END
        WHERE a.locked_until IS NULL OR a.locked_until <= now()
        RETURNING key, attempts, locked_until`,
      values: [key, limit],
    });
  }

  async #giveBack(key: string, limit: number): Promise<void> {
    await this.database.query({
      text: `UPDATE sign_in_attempts SET attempts = greatest(attempts - 1, 0),
        locked_until = CASE WHEN attempts - 1 >= $2 THEN locked_until END WHERE key = $1`,
      values: [key, limit],
    });
  }

  /** For unknown accounts too: what is done must not depend on whether there is one. */
  async #record(
    { userId }: Attempt,
    { key, attempts, locked_until: until }: Lock,
    limit: number,
  ): Promise<void> {
    const [what = ''] = key.split(':');
    const request = currentRequest();
    await this.events.record(currentTenant(), {
      action: 'account.locked',
      actor: { type: 'system', id: 'sign-in' },
      outcome: 'success',
      resource: what === 'address' ? { type: 'address', id: key } : { type: 'user', id: userId ?? 'unknown' },
      changes: { what, attempts, limit, until: until?.toISOString() },
      subject: userId,
      ...(request && { client: { ip: request.ip, userAgent: request.userAgent } }),
    });
  }
}
