import { Injectable } from '@nestjs/common';
import { networkOf } from '../limits/index.js';
import { auditDetails } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { SignInAttempts } from './sign-in-attempts.js';

/** An administrator lets an address try again from which too many sign-ins have failed. */
@Injectable()
export class UnlockAddress {
  constructor(
    private readonly attempts: SignInAttempts,
    private readonly work: UnitOfWork,
  ) {}

  /** Unlocking one that is not locked is no error. */
  async execute(address: string): Promise<void> {
    await this.work.run(async () => {
      const id = await this.attempts.unlockAddress(networkOf(address));
      auditDetails({ resource: { type: 'address', id } });
    });
  }
}
