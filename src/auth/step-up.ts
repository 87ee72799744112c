import { Injectable } from '@nestjs/common';
import { announce, currentTenant, TenantDatabase } from '../platform/database/index.js';
import { AppError } from '../platform/http/errors.js';
import { auditDetails, type Actor } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { InvalidCredential } from './auth.errors.js';
import { canonicalEmail, UserEntity } from './identity.entity.js';
import { VerifyPassword, type Proved } from './verify-password.js';

/** For so long a proved password counts. */
export const STEP_UP_SECONDS = 300;

export class StepUpRequired extends AppError {
  readonly kind = 'forbidden';
  readonly code = 'STEP_UP_REQUIRED';
  constructor() {
    super(
      'Prove again that it is you, with your second factor or, having none, your password: POST /v1/auth/step-up. Then repeat this within five minutes.',
    );
  }
}

export class StepUpNeedsSession extends AppError {
  readonly kind = 'forbidden';
  readonly code = 'STEP_UP_NEEDS_SESSION';
  constructor() {
    super(
      'This needs a person who proves a password, which an API key cannot. Sign in, and use the session.',
    );
  }
}

export class PasswordWrong extends AppError {
  readonly kind = 'forbidden';
  readonly code = 'PASSWORD_WRONG';
  constructor() {
    super('The password is wrong.');
  }
}

/** A session whose person has proved the password again, shortly before something that cannot be taken back. */
@Injectable()
export class StepUp {
  constructor(
    private readonly database: TenantDatabase,
    private readonly verify: VerifyPassword,
    private readonly work: UnitOfWork,
  ) {}

  async prove(actor: Actor, password: string): Promise<{ expiresIn: number }> {
    const { sessionId } = actor;
    if (sessionId === undefined) throw new StepUpNeedsSession();
    const proved = await this.verifyOwn(actor, password, ({ wholly }) =>
      this.work.run(async () => {
        await wholly();
        await this.proved(sessionId, actor.id);
        return { expiresIn: STEP_UP_SECONDS };
      }),
    );
    if (!proved) throw new PasswordWrong();
    return proved;
  }

  /** Calls `proved` where it is the password of whoever acts; whoever has taken over a session guesses as often as others. */
  async verifyOwn<T>(
    { id }: Actor,
    password: string,
    proved: (proved: Proved) => Promise<T>,
  ): Promise<T | undefined> {
    const person = await this.database.repository(UserEntity).findOneBy({ id });
    return this.verify.execute(
      person,
      person?.email ? canonicalEmail(person.email.reveal()) : '',
      password,
      proved,
    );
  }

  /**
   * A person has proved by whatever method that it is still they who hold the session: noted in the running unit of work.
   * @param secondFactor whether it was by a second factor
   */
  async proved(
    sessionId: string,
    userId: string,
    { secondFactor = false }: { secondFactor?: boolean } = {},
  ): Promise<void> {
    const { rowCount } = await this.database.execute({
      text: `UPDATE sessions SET stepped_up_at = now(), second_factor_at = CASE WHEN $3 THEN now() ELSE second_factor_at END
        WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL`,
      values: [sessionId, userId, secondFactor],
    });
    if (rowCount === 0) throw new InvalidCredential();
    if (secondFactor)
      await this.database.query(
        announce({ kind: 'session_proof', tenant: currentTenant().id, id: sessionId }),
      );
    auditDetails({ resource: { type: 'session', id: sessionId } });
  }

  /**
   * @param forFirstFactor whether it is for setting up a first factor: some providers never say that they have just asked, so a
   * sign-in through one that is as new counts, of a person who has no factor yet; with one, that one is what is proved
   * @throws {StepUpRequired | StepUpNeedsSession}
   */
  async require({ sessionId }: Actor, forFirstFactor = false): Promise<void> {
    if (sessionId === undefined) throw new StepUpNeedsSession();
    const rows = await this.database.query({
      text: `SELECT 1 FROM sessions s WHERE s.id = $1 AND (s.stepped_up_at > now() - make_interval(secs => $2)
          OR ($3 AND s.method IN ('oidc', 'saml') AND s.created_at > now() - make_interval(secs => $2)
            AND NOT EXISTS (SELECT 1 FROM second_factors f WHERE f.user_id = s.user_id AND f.active_at IS NOT NULL)))`,
      values: [sessionId, STEP_UP_SECONDS, forFirstFactor],
    });
    if (rows.length === 0) throw new StepUpRequired();
  }

  /**
   * The same, or that the session was opened as lately: with the second factor, by whoever has one. A browser that is
   * trusted to go without it does not count.
   * @throws {StepUpRequired | StepUpNeedsSession}
   */
  async requireLately({ sessionId }: Actor): Promise<void> {
    if (sessionId === undefined) throw new StepUpNeedsSession();
    const rows = await this.database.query({
      text: `SELECT 1 FROM sessions s, (SELECT now() - make_interval(secs => $2) AS since) AS lately
        WHERE s.id = $1 AND (s.stepped_up_at > since OR (s.created_at > since AND (s.second_factor_at > since
          OR NOT EXISTS (SELECT FROM second_factors f WHERE f.user_id = s.user_id AND f.active_at IS NOT NULL))))`,
      values: [sessionId, STEP_UP_SECONDS],
    });
    if (rows.length === 0) throw new StepUpRequired();
  }
}
