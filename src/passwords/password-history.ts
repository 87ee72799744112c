import { Injectable } from '@nestjs/common';
import { TenantDatabase } from '../platform/database/index.js';
import { PasswordHashing } from './password-hashing.js';
import { unfitPassword } from './passwords.errors.js';

/** The most that an organisation may ask for (src/sign-in/sign-in-rules.ts); more are not kept. */
const KEPT = 24;

/** Former passwords of the people of the tenant in scope, as hashes. */
@Injectable()
export class PasswordHistory {
  constructor(
    private readonly database: TenantDatabase,
    private readonly hashing: PasswordHashing,
  ) {}

  /** @throws InvalidRequest when it is the password of now, or one of as many before as the organisation asks for */
  async requireNew(
    userId: string,
    password: string,
    remembered: number,
    pointer = '/password',
  ): Promise<void> {
    const rows = await this.database.query<{ password_hash: string }>({
      text: `(SELECT password_hash FROM users WHERE id = $1 AND password_hash IS NOT NULL)
        UNION ALL
        (SELECT password_hash FROM password_history WHERE user_id = $1 ORDER BY replaced_at DESC, id DESC LIMIT $2)`,
      values: [userId, Math.max(remembered - 1, 0)],
    });
    for (const { password_hash: stored } of rows)
      if ((await this.hashing.verify(stored, password)).matches)
        throw unfitPassword(pointer, ['password was used before: choose another']);
  }

  /** Keeps the password of now as a former one. In the transaction that replaces it, before it does. */
  async keep(userId: string): Promise<void> {
    await this.database.query({
      text: `INSERT INTO password_history (id, user_id, password_hash)
        SELECT gen_random_uuid(), id, password_hash FROM users WHERE id = $1 AND password_hash IS NOT NULL`,
      values: [userId],
    });
    await this.database.query({
      text: `DELETE FROM password_history WHERE user_id = $1 AND id NOT IN (
        SELECT id FROM password_history WHERE user_id = $1 ORDER BY replaced_at DESC, id DESC LIMIT ${KEPT})`,
      values: [userId],
    });
  }
}
