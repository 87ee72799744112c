import { Injectable } from '@nestjs/common';
import { SessionList } from '../auth/index.js';
import { announce, currentTenant, TenantDatabase } from '../platform/database/index.js';
import { PasswordHistory } from '../passwords/index.js';

/** Puts another password in the place of a person's, in the transaction of the caller. */
@Injectable()
export class ReplacePassword {
  constructor(
    private readonly database: TenantDatabase,
    private readonly history: PasswordHistory,
    private readonly sessions: SessionList,
  ) {}

  /**
   * Ends the person's sessions, but for one that goes on, every link that is on its way, and the trust in browsers. Access tokens end with the
   * epoch, and so do sign-ins at work that have proved the former password.
   */
  async execute(userId: string, passwordHash: string, goesOn?: string): Promise<void> {
    await this.history.keep(userId);
    await this.database.query({
      text: `UPDATE users SET password_hash = $2, epoch = epoch + 1, version = version + 1, updated_at = now() WHERE id = $1`,
      values: [userId, passwordHash],
    });
    await this.sessions.endAll(userId, goesOn);
    await this.database.query({
      text: 'UPDATE password_resets SET used_at = now() WHERE user_id = $1 AND used_at IS NULL',
      values: [userId],
    });
    // What a browser was believed for was signing in with the former one.
    await this.database.query({ text: 'DELETE FROM trusted_devices WHERE user_id = $1', values: [userId] });
    await this.database.query(announce({ kind: 'user', tenant: currentTenant().id, id: userId }));
  }
}
