import { Injectable } from '@nestjs/common';
import { TokenTenant, UserEntity } from '../auth/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { auditDetails } from '../platform/http/request-context.js';
import { AskSecondFactor } from './ask-second-factor.js';
import { Challenges, tenantOfChallenge } from './challenges.js';
import { Factors } from './factors.js';
import { ChallengeInvalid } from './mfa.errors.js';
import type { SecondFactorDueDto } from './mfa.dto.js';

/** What a page needs that has only the challenge of a sign-in, as after single sign-on. */
@Injectable()
export class DescribeChallenge {
  constructor(
    private readonly database: TenantDatabase,
    private readonly tenants: TokenTenant,
    private readonly challenges: Challenges,
    private readonly factors: Factors,
    private readonly ask: AskSecondFactor,
  ) {}

  /** @throws {ChallengeInvalid} */
  async execute(token: string): Promise<SecondFactorDueDto> {
    const tenant = await this.tenants.of(tenantOfChallenge(token));
    if (!tenant) throw new ChallengeInvalid();
    return this.database.within(tenant, async () => {
      const { userId, secondsLeft } = await this.challenges.look('sign_in', token);
      const user = await this.database.repository(UserEntity).findOneBy({ id: userId });
      if (!user) throw new ChallengeInvalid();
      auditDetails({ resource: { type: 'user', id: user.id } });
      const { asked } = await this.factors.askedOf(user.id, tenant);
      return { ...(await this.ask.describe(token, user.id, asked)), expiresIn: secondsLeft };
    });
  }
}
