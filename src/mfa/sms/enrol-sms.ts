import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { SecondFactorConfig } from '../../platform/config/index.js';
import { TenantDatabase } from '../../platform/database/index.js';
import { auditDetails, type Actor, type RequestTenant } from '../../platform/http/request-context.js';
import { UnitOfWork } from '../../requests/index.js';
import { secondFactorRules } from '../../sign-in/index.js';
import { CHALLENGE_SECONDS, Challenges } from '../challenges.js';
import { Enrolment, usualName } from '../enrolment.js';
import { Factors, type FactorDetails } from '../factors.js';
import { EnrolmentFailed } from '../mfa.errors.js';
import type { EnrolledDto } from '../mfa.dto.js';
import { Notices } from '../notices.js';
import { standingOf, textMessagesCount } from '../requirement.js';
import type { BeginSmsDto, BegunSmsDto, ConfirmSmsDto } from './sms.dto.js';
import { TextMessagesNotOffered } from './sms.errors.js';
import { TextCodes } from './text-codes.js';

/** Setting a telephone up, one for each person: it counts once a code that was sent to it has come back. */
@Injectable()
export class EnrolSms {
  constructor(
    private readonly database: TenantDatabase,
    private readonly config: SecondFactorConfig,
    private readonly factors: Factors,
    private readonly challenges: Challenges,
    private readonly codes: TextCodes,
    private readonly enrolment: Enrolment,
    private readonly notices: Notices,
    private readonly work: UnitOfWork,
  ) {}

  async begin(
    actor: Actor,
    tenant: RequestTenant,
    { number, name = usualName('sms') }: BeginSmsDto,
  ): Promise<BegunSmsDto> {
    const { user, sessionId } = await this.enrolment.personOf(actor);
    auditDetails({
      resource: { type: 'user', id: user.id },
      changes: { type: 'sms' },
      subject: user.id,
    });
    await this.#requireOffered(tenant, user.id);
    const id = uuidv7();
    const note: FactorDetails = { name, number };
    const begun = await this.work.bookkeeping('whether the code was sent is the event', async () => ({
      challenge: await this.challenges.begin('enrolment', { userId: user.id, sessionId, note }, id),
      code: await this.codes.draw(user.id, id, number),
    }));
    await this.codes.send(begun.code);
    return { challenge: begun.challenge, expiresIn: CHALLENGE_SECONDS };
  }

  /** @throws {ChallengeInvalid | EnrolmentFailed} */
  async confirm(
    actor: Actor,
    tenant: RequestTenant,
    { challenge: token, code }: ConfirmSmsDto,
  ): Promise<EnrolledDto> {
    const { user, sessionId } = await this.enrolment.personOf(actor);
    await this.#requireOffered(tenant, user.id);
    const challenge = await this.challenges.try('enrolment', token, sessionId);
    const message = await this.codes.matching(challenge.id, user.id, code);
    if (message === undefined) throw wrong();
    // Only this room writes it, sealed, beside the message that was just found.
    const details = challenge.note as FactorDetails;
    const enrolled = await this.work.run(async () => {
      await this.challenges.use(challenge);
      if (!(await this.codes.use(message))) throw wrong();
      const id = await this.factors.add(user.id, 'sms', details);
      await this.factors.activate(id, 0);
      await this.factors.keepOnly(user.id, 'sms', id);
      const factor = { id, userId: user.id, type: 'sms', counter: 0, details } as const;
      return this.enrolment.completed(user.id, sessionId, {
        ...factor,
        createdAt: new Date(),
        lastUsedAt: null,
      });
    });
    this.notices.tell(user, 'factor_added');
    return enrolled;
  }

  async #requireOffered(tenant: RequestTenant, userId: string): Promise<void> {
    const rules = secondFactorRules(tenant);
    const { role } = await standingOf(this.database, userId);
    if (textMessagesCount(this.config, rules, role)) return;
    const offered = this.config.textMessages !== undefined && rules.textMessages === true;
    throw new TextMessagesNotOffered(offered ? 'TEXT_MESSAGES_OF_ADMIN' : undefined);
  }
}

function wrong(): EnrolmentFailed {
  return new EnrolmentFailed(
    'The code is not right. Send that of the last message, or begin anew.',
    'SMS_WRONG',
  );
}
