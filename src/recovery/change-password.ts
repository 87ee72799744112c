import { Injectable } from '@nestjs/common';
import { PasswordWrong, StepUp, StepUpNeedsSession, UserEntity } from '../auth/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import { auditDetails, type Actor, type RequestTenant } from '../platform/http/request-context.js';
import { PasswordHashing, PasswordHistory, PasswordPolicy } from '../passwords/index.js';
import { UnitOfWork } from '../requests/index.js';
import { signInRules } from '../sign-in/index.js';
import type { ChangePasswordDto } from './recovery.dto.js';
import { ReplacePassword } from './replace-password.js';

/** Changing one's own password, by proving the one of now. */
@Injectable()
export class ChangePassword {
  constructor(
    private readonly database: TenantDatabase,
    private readonly policy: PasswordPolicy,
    private readonly history: PasswordHistory,
    private readonly hashing: PasswordHashing,
    private readonly stepUp: StepUp,
    private readonly replace: ReplacePassword,
    private readonly work: UnitOfWork,
  ) {}

  /** The session that asks goes on; the person's others end. */
  async execute(actor: Actor, tenant: RequestTenant, body: ChangePasswordDto): Promise<void> {
    const { id, sessionId } = actor;
    if (sessionId === undefined) throw new StepUpNeedsSession();
    const person = await this.database.repository(UserEntity).findOneBy({ id });
    if (!person?.email) throw new ResourceNotFound('user');
    const owner = { email: person.email.reveal(), displayName: person.displayName?.reveal() };
    await this.policy.require(body.newPassword, owner, '/newPassword');
    const changed = await this.stepUp.verifyOwn(actor, body.currentPassword, async ({ wholly }) => {
      await this.work.bookkeeping('the password of now was right, whatever comes of the new one', wholly);
      // Only now: whether a password was used before is told to nobody who does not know the one of now.
      const { passwordHistory } = signInRules(tenant);
      await this.history.requireNew(id, body.newPassword, passwordHistory, '/newPassword');
      const hash = await this.hashing.hash(body.newPassword);
      await this.work.run(async () => {
        auditDetails({ resource: { type: 'user', id } });
        await this.replace.execute(id, hash, sessionId);
      });
      return true;
    });
    if (!changed) throw new PasswordWrong();
  }
}
