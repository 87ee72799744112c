import { Injectable } from '@nestjs/common';
import { SsoEnforcement } from '../domains/index.js';
import { BlindLookup } from '../encryption/index.js';
import { Cells, PLATFORM_TENANT, TenantDatabase } from '../platform/database/index.js';
import { auditDetails, type RequestTenant } from '../platform/http/request-context.js';
import { SignInFailed } from './auth.errors.js';
import { canonicalEmail, UserEntity } from './identity.entity.js';
import type { SignInMethod } from './sessions.js';
import { VerifyPassword, type Proved } from './verify-password.js';

/** Somebody whose password was right, and who may sign in with it. */
export interface PasswordProof extends Proved {
  readonly tenant: RequestTenant;
  readonly user: UserEntity;
  readonly method: SignInMethod;
}

/** Signing in with e-mail and password. One answer, after the same work, whatever is wrong. */
@Injectable()
export class PasswordSignIn {
  constructor(
    private readonly cells: Cells,
    private readonly database: TenantDatabase,
    private readonly lookup: BlindLookup,
    private readonly verify: VerifyPassword,
    private readonly enforcement: SsoEnforcement,
  ) {}

  /**
   * @param open what a right password leads to
   * @throws {SignInFailed}
   */
  async execute<T>(
    tenant: RequestTenant | undefined,
    email: string,
    password: string,
    open: (proof: PasswordProof) => Promise<T>,
  ): Promise<T> {
    auditDetails({ personal: { email } });
    // Where there is no such organisation the same is done in the installation's own, which has no people.
    const place = tenant ?? this.cells.home.tenant(PLATFORM_TENANT);
    return this.database.within(place, async () => {
      const user = await this.lookup.findOneEvenly(UserEntity, 'email', email);
      if (user) auditDetails({ subject: user.id });
      const opened = await this.verify.execute(user, canonicalEmail(email), password, async (proved) => {
        if (!tenant || user?.status !== 'active') return undefined;
        const method = await this.enforcement.passwordMethod(user, email);
        return { of: await open({ ...proved, tenant, user, method }) };
      });
      if (!opened) throw new SignInFailed();
      return opened.of;
    });
  }
}
