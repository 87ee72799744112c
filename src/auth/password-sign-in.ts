import { Injectable } from '@nestjs/common';
import { SsoEnforcement } from '../domains/index.js';
import { BlindLookup } from '../encryption/index.js';
import { Cells, PLATFORM_TENANT, TenantDatabase } from '../platform/database/index.js';
import { auditDetails, type RequestTenant } from '../platform/http/request-context.js';
import { SignInFailed } from './auth.errors.js';
import { canonicalEmail, UserEntity } from './identity.entity.js';
import { Sessions, type SignedIn } from './sessions.js';
import { VerifyPassword } from './verify-password.js';

/** Signing in with e-mail and password. One answer, after the same work, whatever is wrong. */
@Injectable()
export class PasswordSignIn {
  constructor(
    private readonly cells: Cells,
    private readonly database: TenantDatabase,
    private readonly lookup: BlindLookup,
    private readonly verify: VerifyPassword,
    private readonly sessions: Sessions,
    private readonly enforcement: SsoEnforcement,
  ) {}

  async execute(tenant: RequestTenant | undefined, email: string, password: string): Promise<SignedIn> {
    auditDetails({ personal: { email } });
    // Where there is no such organisation the same is done in the installation's own, which has no people.
    const place = tenant ?? this.cells.home.tenant(PLATFORM_TENANT);
    return this.database.within(place, async () => {
      const user = await this.lookup.findOneEvenly(UserEntity, 'email', email);
      if (user) auditDetails({ subject: user.id });
      const signedIn = await this.verify.execute(user, canonicalEmail(email), password, async (write) =>
        tenant && user?.status === 'active'
          ? this.sessions.open(tenant, user, await this.enforcement.passwordMethod(user, email), write)
          : undefined,
      );
      if (!signedIn) throw new SignInFailed();
      return signedIn;
    });
  }
}
