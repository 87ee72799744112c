import { Injectable } from '@nestjs/common';
import { PasswordSignIn, type SignInDto } from '../auth/index.js';
import type { RequestTenant } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { AdmitPerson, type Admitted } from './admit-person.js';

/** Signing in with a password, as far as that leads. */
@Injectable()
export class SignInWithPassword {
  constructor(
    private readonly passwords: PasswordSignIn,
    private readonly admit: AdmitPerson,
    private readonly work: UnitOfWork,
  ) {}

  /** @throws {SignInFailed} */
  execute(
    tenant: RequestTenant | undefined,
    { email, password }: SignInDto,
    cookies: string | undefined,
  ): Promise<Admitted> {
    return this.passwords.execute(tenant, email, password, ({ user, ...proof }) =>
      this.work.run(() => this.admit.execute(proof.tenant, user, { ...proof, cookies })),
    );
  }
}
