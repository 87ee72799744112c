import { hash, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { AuditEvent } from '../audit/index.js';
import { UserEntity } from '../auth/index.js';
import { BlindLookup } from '../encryption/index.js';
import { PasswordConfig } from '../platform/config/index.js';
import { currentTenant, TenantDatabase } from '../platform/database/index.js';
import { UnitOfWork } from '../requests/index.js';
import { RESET_SECONDS } from './reset-request.js';

export interface ResetLink {
  readonly email: string;
  readonly url: string;
  /** As the database knows it. */
  readonly tokenHash: Buffer;
}

/** Nobody's mailbox is filled by others' requests. */
const LINKS_PER_HOUR = 3;
/** How often somebody's row may change between the look at it and the lock on it. */
const TRIES = 3;

/** Makes the link for a person of the tenant in scope, of which the database keeps a hash. */
@Injectable()
export class MakeResetLink {
  constructor(
    private readonly database: TenantDatabase,
    private readonly lookup: BlindLookup,
    private readonly work: UnitOfWork,
    private readonly config: PasswordConfig,
  ) {}

  /** Undefined where nobody can sign in with a password under that address, or has had enough links of late. */
  async execute(email: string): Promise<ResetLink | undefined> {
    const token = `wxp_${currentTenant().id.slice(2)}_${randomBytes(32).toString('base64url')}`;
    const tokenHash = hash('sha256', token, 'buffer');
    const url = `${this.config.resetUrl}#token=${token}`;
    for (let tries = 0; tries < TRIES; tries += 1) {
      const person = await this.lookup.findOne(UserEntity, 'email', email);
      if (person?.status !== 'active' || !person.email || person.passwordHash === null) return undefined;
      const stored = await this.#store(person, tokenHash);
      if (stored === 'enough') return undefined;
      if (stored === 'stored') return { email: person.email.reveal(), url, tokenHash };
    }
    return undefined;
  }

  /** The link did not reach anybody. */
  async undo({ tokenHash }: ResetLink): Promise<void> {
    await this.work.bookkeeping('a link that nobody has got is none', async () => {
      await this.database.query({
        text: 'DELETE FROM password_resets WHERE token_hash = $1',
        values: [tokenHash],
      });
    });
  }

  /**
   * The person's row is locked: requests that are dealt with at once do not count past each other, and nobody's address or
   * password has changed since it was looked at.
   */
  async #store(
    { id: userId, version }: UserEntity,
    tokenHash: Buffer,
  ): Promise<'stored' | 'enough' | 'changed'> {
    try {
      await this.work.runAs(
        () => linkCreated(userId),
        async () => {
          const asSeen = await this.database.query({
            text: 'SELECT 1 FROM users WHERE id = $1 AND version = $2 FOR NO KEY UPDATE',
            values: [userId, version],
          });
          if (asSeen.length === 0) throw new NotStored('changed');
          await this.database.query({
            text: `DELETE FROM password_resets WHERE user_id = $1 AND created_at < now() - interval '1 day'`,
            values: [userId],
          });
          const stored = await this.database.query({
            text: `INSERT INTO password_resets (token_hash, user_id, expires_at)
              SELECT $1, $2, now() + make_interval(secs => $3) WHERE $4 > (SELECT count(*) FROM password_resets
                WHERE user_id = $2 AND created_at > now() - interval '1 hour') RETURNING user_id`,
            values: [tokenHash, userId, RESET_SECONDS, LINKS_PER_HOUR],
          });
          if (stored.length === 0) throw new NotStored('enough');
        },
      );
      return 'stored';
    } catch (error) {
      if (error instanceof NotStored) return error.why;
      throw error;
    }
  }
}

/** There is nothing to store, and no event of it. */
class NotStored extends Error {
  constructor(readonly why: 'enough' | 'changed') {
    super(`No link is stored: ${why}.`);
  }
}

function linkCreated(userId: string): AuditEvent {
  return {
    action: 'password.reset_link_created',
    actor: { type: 'system', id: 'recovery' },
    outcome: 'success',
    resource: { type: 'user', id: userId },
  };
}
