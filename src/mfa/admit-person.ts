import { Injectable } from '@nestjs/common';
import { Sessions, type Opening, type SignedIn, type SignInMethod, type UserEntity } from '../auth/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { auditDetails, type RequestTenant } from '../platform/http/request-context.js';
import { secondFactorRules } from '../sign-in/index.js';
import { AskSecondFactor } from './ask-second-factor.js';
import { Factors, type FactorType } from './factors.js';
import type { SecondFactorDueDto } from './mfa.dto.js';
import { isOverdue } from './requirement.js';
import { TrustedDevices } from './trusted-devices.js';

export type AdmittedUser = Pick<UserEntity, 'id' | 'epoch' | 'role'>;

/** What somebody has proved first. */
export interface FirstProof {
  readonly method: SignInMethod;
  /** `Cookie` of the browser, which may be one that is trusted. */
  readonly cookies: string | undefined;
  /** What is to be written where nothing else is asked for, and where a second factor is. */
  readonly wholly?: () => Promise<void>;
  readonly halfway?: () => Promise<void>;
  /** Where a second factor was proved elsewhere, and that counts: when. */
  readonly secondFactorAt?: Date | undefined;
  readonly until?: Date | undefined;
  /** Given back with the session, if it is opened later (`AfterSecondFactor`). */
  readonly note?: unknown;
  /** What it is ended by between the two proofs (`Challenges.endFound`). */
  readonly foundBy?: readonly string[];
}

export type Admitted =
  | {
      readonly kind: 'signed_in';
      readonly signedIn: SignedIn;
      readonly sessionId: string;
      readonly enrolmentOnly: boolean;
    }
  | { readonly kind: 'second_factor_due'; readonly due: SecondFactorDueDto };

/** What a first proof leads to: a session, one that is good for setting up a second factor, or the question for one. */
@Injectable()
export class AdmitPerson {
  constructor(
    private readonly database: TenantDatabase,
    private readonly sessions: Sessions,
    private readonly factors: Factors,
    private readonly devices: TrustedDevices,
    private readonly ask: AskSecondFactor,
  ) {}

  /** In the running unit of work. */
  async execute(tenant: RequestTenant, user: AdmittedUser, first: FirstProof): Promise<Admitted> {
    if (first.secondFactorAt)
      return this.#open(tenant, user, first, { secondFactorAt: first.secondFactorAt });
    const rules = secondFactorRules(tenant);
    const { counting, had, asked } = await this.factors.askedOf(user.id, tenant);
    if (asked.length === 0) {
      // Who had a factor that counts no more does not fall back to less than they had.
      const enrolmentOnly = had || (await isOverdue(this.database, rules, user.id));
      return this.#open(tenant, user, first, { enrolmentOnly });
    }
    const provedAt = await this.devices.provedAt(user.id, first.cookies, rules.trustedDeviceDays);
    if (provedAt && counting.length > 0) {
      await this.devices.used(user.id, first.cookies);
      return this.#open(tenant, user, first, { secondFactorAt: provedAt });
    }
    return { kind: 'second_factor_due', due: await this.#due(user, asked, first) };
  }

  /** Whether the person has a second factor. */
  async hasFactor(userId: string, tenant: RequestTenant): Promise<boolean> {
    return (await this.factors.typesOf(userId, tenant)).length > 0;
  }

  async #open(
    tenant: RequestTenant,
    user: AdmittedUser,
    { method, until, wholly }: FirstProof,
    opening: Opening,
  ): Promise<Admitted> {
    const { sessionId, ...signedIn } = await this.sessions.openIn(tenant, user, method, {
      ...opening,
      until,
      ...(wholly && { also: wholly }),
    });
    const { enrolmentOnly = false } = opening;
    if (enrolmentOnly) auditDetails({ changes: { user: user.id, method, enrolmentOnly } });
    return { kind: 'signed_in', signedIn, sessionId, enrolmentOnly };
  }

  async #due(
    user: AdmittedUser,
    types: readonly FactorType[],
    { method, until, note, foundBy, halfway }: FirstProof,
  ): Promise<SecondFactorDueDto> {
    await halfway?.();
    auditDetails({
      action: 'second_factor.asked',
      resource: { type: 'user', id: user.id },
      changes: { method, types },
    });
    return this.ask.begin('sign_in', types, {
      userId: user.id,
      epoch: user.epoch,
      method,
      until,
      note,
      foundBy,
    });
  }
}
