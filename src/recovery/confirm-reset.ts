import { hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { placeOf, TokenTenant, UserEntity } from '../auth/index.js';
import type { Sealed } from '../encryption/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { auditDetails, type RequestTenant } from '../platform/http/request-context.js';
import { PasswordHashing, PasswordHistory, PasswordPolicy } from '../passwords/index.js';
import { UnitOfWork } from '../requests/index.js';
import { SignInAttempts, signInRules } from '../sign-in/index.js';
import type { ConfirmResetDto } from './recovery.dto.js';
import { ResetLinkInvalid } from './recovery.errors.js';
import { ReplacePassword } from './replace-password.js';
import { RESET_TOKEN } from './reset-request.js';

/** Sets a new password by a link that was mailed. Works while the account is locked, and unlocks it. */
@Injectable()
export class ConfirmReset {
  constructor(
    private readonly database: TenantDatabase,
    private readonly tenants: TokenTenant,
    private readonly policy: PasswordPolicy,
    private readonly history: PasswordHistory,
    private readonly hashing: PasswordHashing,
    private readonly attempts: SignInAttempts,
    private readonly replace: ReplacePassword,
    private readonly work: UnitOfWork,
  ) {}

  async execute({ token, password }: ConfirmResetDto): Promise<void> {
    const tenant = await this.tenants.of(RESET_TOKEN.exec(token)?.[1]);
    if (!tenant) throw new ResetLinkInvalid();
    await this.database.within(tenant, () =>
      this.#confirm(tenant, hash('sha256', token, 'buffer'), password),
    );
  }

  async #confirm(tenant: RequestTenant, tokenHash: Buffer, password: string): Promise<void> {
    const person = await this.#personOf(tokenHash);
    auditDetails({ resource: { type: 'user', id: person.id } });
    const owner = { email: person.email.reveal(), displayName: person.displayName?.reveal() };
    await this.policy.require(password, owner);
    await this.history.requireNew(person.id, password, signInRules(tenant).passwordHistory);
    const passwordHash = await this.hashing.hash(password);
    await this.work.run(async () => {
      const used = await this.database.query({
        text: `UPDATE password_resets SET used_at = now()
          WHERE token_hash = $1 AND used_at IS NULL AND expires_at > now() RETURNING user_id`,
        values: [tokenHash],
      });
      if (used.length === 0) throw new ResetLinkInvalid();
      await this.replace.execute(person.id, passwordHash);
      await this.attempts.unlock(person.id);
      // Whoever reads the person's mail is no stranger: the next sign-in from here is not counted with an attacker's.
      await this.attempts.remember(person.id, placeOf());
    });
  }

  async #personOf(tokenHash: Buffer): Promise<UserEntity & { email: Sealed<string> }> {
    const [row] = await this.database.query<{ user_id: string }>({
      text: 'SELECT user_id FROM password_resets WHERE token_hash = $1 AND used_at IS NULL AND expires_at > now()',
      values: [tokenHash],
    });
    const person = row && (await this.database.repository(UserEntity).findOneBy({ id: row.user_id }));
    if (person?.status !== 'active' || !person.email) throw new ResetLinkInvalid();
    return Object.assign(person, { email: person.email });
  }
}
