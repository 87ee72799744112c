import { Injectable } from '@nestjs/common';
import { Sessions, TokenTenant, UserEntity, type SignedIn } from '../auth/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { auditDetails, type RequestTenant } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { secondFactorRules } from '../sign-in/index.js';
import { AfterSecondFactor } from './after-second-factor.js';
import { Challenges, tenantOfChallenge, type Challenge } from './challenges.js';
import { Factors } from './factors.js';
import { ChallengeInvalid, FactorRefused, SecondFactorFailed } from './mfa.errors.js';
import type { CompleteSignInDto } from './mfa.dto.js';
import { Notices } from './notices.js';
import { methodOf, ProveFactor, type FactorProof } from './prove-factor.js';
import { TrustedDevices } from './trusted-devices.js';

export interface Completed {
  readonly signedIn: SignedIn;
  /** Of a browser that is believed from now on. */
  readonly device: string | undefined;
  /** What was proved counts no more: the session is good for setting up what does. */
  readonly enrolmentOnly: boolean;
}

/** Opens the session of somebody who has proved a second factor after the first. */
@Injectable()
export class CompleteSignIn {
  constructor(
    private readonly database: TenantDatabase,
    private readonly tenants: TokenTenant,
    private readonly challenges: Challenges,
    private readonly prove: ProveFactor,
    private readonly factors: Factors,
    private readonly sessions: Sessions,
    private readonly devices: TrustedDevices,
    private readonly followers: AfterSecondFactor,
    private readonly notices: Notices,
    private readonly work: UnitOfWork,
  ) {}

  /** @throws {ChallengeInvalid | SecondFactorFailed} */
  async execute(body: CompleteSignInDto): Promise<Completed> {
    methodOf(body);
    const tenant = await this.tenants.of(tenantOfChallenge(body.challenge));
    if (!tenant) throw new ChallengeInvalid();
    return this.database.within(tenant, async () => {
      const challenge = await this.challenges.try('sign_in', body.challenge);
      const user = await this.#personOf(challenge);
      auditDetails({ subject: user.id });
      try {
        const proof = await this.prove.execute(user.id, body, challenge);
        const completed = await this.work.run(() => this.#open(tenant, user, challenge, proof, body));
        if (proof.method === 'recovery_code') this.notices.tell(user, 'recovery_code_used');
        return completed;
      } catch (error) {
        if (!(error instanceof FactorRefused)) throw error;
        throw new SecondFactorFailed(error.reason);
      }
    });
  }

  async #personOf({ userId = '', epoch }: Challenge): Promise<UserEntity> {
    const user = await this.database.repository(UserEntity).findOneBy({ id: userId });
    if (user?.status !== 'active' || user.epoch !== epoch) throw new ChallengeInvalid('PERSON_CHANGED');
    return user;
  }

  async #open(
    tenant: RequestTenant,
    user: UserEntity,
    challenge: Challenge,
    proof: FactorProof,
    { trustDevice = false }: CompleteSignInDto,
  ): Promise<Completed> {
    const { method, until, note } = challenge;
    await this.challenges.use(challenge);
    await this.prove.use(user.id, proof);
    const enrolmentOnly = (await this.factors.typesOf(user.id, tenant)).length === 0;
    const { sessionId, ...signedIn } = await this.sessions.openIn(tenant, user, method, {
      until,
      enrolmentOnly,
      ...(!enrolmentOnly && { secondFactorAt: new Date() }),
    });
    await this.followers.opened(method, { id: sessionId, userId: user.id }, note);
    const days = secondFactorRules(tenant).trustedDeviceDays;
    const trusted = trustDevice && days > 0 && !enrolmentOnly;
    const device = trusted ? await this.devices.trust(user.id, days) : undefined;
    if (device) await this.prove.alsoHappened(user.id, 'trusted_device.added', { device: device.id, days });
    auditDetails({
      changes: {
        user: user.id,
        method,
        secondFactor: proof.method,
        ...(enrolmentOnly && { enrolmentOnly }),
      },
    });
    return { signedIn, device: device?.cookie, enrolmentOnly };
  }
}
