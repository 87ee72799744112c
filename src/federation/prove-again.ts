import { Injectable } from '@nestjs/common';
import { StepUp } from '../auth/index.js';
import { AdmitPerson } from '../mfa/index.js';
import { auditDetails, type RequestTenant } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import type { AttemptSecrets } from './attempts.js';
import type { ConnectionEntity } from './connection.entity.js';
import { SsoFailed } from './federation.errors.js';
import { JudgePerson } from './judge-person.js';
import type { ProvenPerson } from './proven-person.js';
import { Replays } from './replays.js';
import { countsAsSecondFactor } from './said-second-factor.js';

/** So long ago may it be that the provider has asked; clocks differ by some of it. */
const ANEW_MS = 5 * 60_000;

/** Somebody without a password proves at the provider that it is still they who hold a session. */
@Injectable()
export class ProveAgain {
  constructor(
    private readonly work: UnitOfWork,
    private readonly judge: JudgePerson,
    private readonly admit: AdmitPerson,
    private readonly stepUp: StepUp,
    private readonly replays: Replays,
  ) {}

  /** @throws {SsoFailed} */
  execute(
    tenant: RequestTenant,
    connection: ConnectionEntity,
    person: ProvenPerson,
    session: NonNullable<AttemptSecrets['session']>,
  ): Promise<void> {
    return this.work.run(async () => {
      const { once, authenticatedAt } = person;
      if (once && !(await this.replays.first(connection.id, 'assertion', once.id, once.until)))
        throw new SsoFailed('SAML_REPLAYED');
      const { verdict } = await this.judge.execute(connection, person);
      if (verdict.kind === 'refused') throw new SsoFailed(verdict.why);
      if (verdict.kind !== 'known' || verdict.user.id !== session.userId)
        throw new SsoFailed('SSO_OTHER_PERSON');
      // A provider that ignores what it was asked for answers from its own session, of whatever age.
      if (!authenticatedAt || Math.abs(Date.now() - authenticatedAt.getTime()) > ANEW_MS)
        throw new SsoFailed('SSO_NOT_ANEW');
      const secondFactor = countsAsSecondFactor(connection, person.secondFactor);
      // Who has a second factor proves that one, unless the provider has asked for one of its own.
      if (!secondFactor && (await this.admit.hasFactor(session.userId, tenant)))
        throw new SsoFailed('SSO_SECOND_FACTOR');
      auditDetails({
        subject: session.userId,
        changes: { method: connection.type, connection: connection.id },
      });
      await this.stepUp.proved(session.id, session.userId, { secondFactor });
    });
  }
}
