import { Injectable } from '@nestjs/common';
import { StepUpNeedsSession, TokenTenant } from '../../auth/index.js';
import { TenantDatabase } from '../../platform/database/index.js';
import { auditDetails, type Actor, type RequestTenant } from '../../platform/http/request-context.js';
import { UnitOfWork } from '../../requests/index.js';
import { Challenges, tenantOfChallenge } from '../challenges.js';
import { Factors } from '../factors.js';
import { ChallengeInvalid } from '../mfa.errors.js';
import type { SentCodeDto } from './sms.dto.js';
import { TextMessagesNotOffered } from './sms.errors.js';
import { CODE_SECONDS, TextCodes } from './text-codes.js';

/** Sends the code by which a challenge is answered, to the telephone that its person has set up. */
@Injectable()
export class SendCode {
  constructor(
    private readonly database: TenantDatabase,
    private readonly tenants: TokenTenant,
    private readonly challenges: Challenges,
    private readonly factors: Factors,
    private readonly codes: TextCodes,
    private readonly work: UnitOfWork,
  ) {}

  /** @throws {ChallengeInvalid} */
  async forSignIn(token: string): Promise<SentCodeDto> {
    const tenant = await this.tenants.of(tenantOfChallenge(token));
    if (!tenant) throw new ChallengeInvalid();
    return this.database.within(tenant, async () =>
      this.#send(tenant, await this.challenges.look('sign_in', token)),
    );
  }

  /** @throws {ChallengeInvalid} */
  async forStepUp({ sessionId }: Actor, tenant: RequestTenant, token: string): Promise<SentCodeDto> {
    if (sessionId === undefined) throw new StepUpNeedsSession();
    return this.#send(tenant, await this.challenges.look('step_up', token, sessionId));
  }

  async #send(
    tenant: RequestTenant,
    { id, userId, secondsLeft }: { id: string; userId: string; secondsLeft: number },
  ): Promise<SentCodeDto> {
    auditDetails({ resource: { type: 'user', id: userId }, subject: userId });
    const isAsked = (await this.factors.askedOf(userId, tenant)).asked.includes('sms');
    const factor = isAsked && (await this.factors.of(userId)).find(({ type }) => type === 'sms');
    const number = factor ? factor.details.number : undefined;
    if (number === undefined) throw new TextMessagesNotOffered();
    const code = await this.work.bookkeeping('whether it was sent is the event', () =>
      this.codes.draw(userId, id, number),
    );
    await this.codes.send(code);
    return { expiresIn: Math.min(secondsLeft, CODE_SECONDS) };
  }
}
