import { Injectable } from '@nestjs/common';
import { STEP_UP_SECONDS, StepUp, StepUpNeedsSession, UserEntity } from '../auth/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { InvalidRequest } from '../platform/http/errors.js';
import { auditDetails, type Actor, type RequestTenant } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { AskSecondFactor } from './ask-second-factor.js';
import { Challenges } from './challenges.js';
import { Factors } from './factors.js';
import { FactorRefused, SecondFactorNeeded, SecondFactorWrong } from './mfa.errors.js';
import type { StepUpDto, StepUpOptionsDto, SteppedUpDto } from './mfa.dto.js';
import { Notices } from './notices.js';
import { methodOf, ProveFactor, type FactorMethod } from './prove-factor.js';

/** What is proved by an answer to a challenge. */
const BY_CHALLENGE: ReadonlySet<FactorMethod> = new Set<FactorMethod>(['webauthn', 'sms']);

/** Proving again that it is still the person who holds the session: by a second factor, or having none, the password. */
@Injectable()
export class StepUpWithFactor {
  constructor(
    private readonly database: TenantDatabase,
    private readonly stepUp: StepUp,
    private readonly ask: AskSecondFactor,
    private readonly challenges: Challenges,
    private readonly factors: Factors,
    private readonly prove: ProveFactor,
    private readonly notices: Notices,
    private readonly work: UnitOfWork,
  ) {}

  /** What may prove it; for a security key, what it is to sign; for a text message, for what it is to be sent. */
  async options(actor: Actor, tenant: RequestTenant): Promise<StepUpOptionsDto> {
    const { id: userId, sessionId } = actor;
    if (sessionId === undefined) throw new StepUpNeedsSession();
    auditDetails({ resource: { type: 'user', id: userId } });
    const types = await this.factors.typesOf(userId, tenant);
    if (types.length === 0) return { methods: ['password'] };
    if (!types.some((type) => BY_CHALLENGE.has(type)))
      return { methods: await this.ask.methodsOf(userId, types) };
    return this.work.run(() => this.ask.begin('step_up', types, { userId, sessionId }));
  }

  async execute(actor: Actor, tenant: RequestTenant, body: StepUpDto): Promise<SteppedUpDto> {
    const { id: userId, sessionId } = actor;
    if (sessionId === undefined) throw new StepUpNeedsSession();
    const types = await this.factors.typesOf(userId, tenant);
    const { password, challenge: token, ...shown } = body;
    if (password !== undefined) {
      // Not looked at: it is no proof here, and whether it is right is told to nobody.
      if (types.length > 0) throw new SecondFactorNeeded();
      if (Object.values(shown).some((value) => value !== undefined))
        throw new InvalidRequest([{ pointer: '', detail: 'send the password, or a second factor' }]);
      return this.stepUp.prove(actor, password);
    }
    const method = methodOf(shown);
    try {
      const challenge = BY_CHALLENGE.has(method)
        ? await this.challenges.try('step_up', token ?? '', sessionId)
        : undefined;
      const proof = await this.prove.execute(userId, shown, challenge);
      await this.work.run(async () => {
        if (challenge) await this.challenges.use(challenge);
        await this.prove.use(userId, proof);
        await this.stepUp.proved(sessionId, userId, { secondFactor: true });
        auditDetails({ changes: { method } });
      });
    } catch (error) {
      if (!(error instanceof FactorRefused)) throw error;
      throw new SecondFactorWrong(error.reason);
    }
    if (method === 'recovery_code') await this.#tell(userId);
    return { expiresIn: STEP_UP_SECONDS };
  }

  async #tell(userId: string): Promise<void> {
    const user = await this.database.repository(UserEntity).findOneBy({ id: userId });
    if (user) this.notices.tell(user, 'recovery_code_used');
  }
}
