import { Injectable } from '@nestjs/common';
import { SessionList, StepUp, StepUpNeedsSession, UserEntity } from '../auth/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import { auditDetails, type Actor } from '../platform/http/request-context.js';
import { factorDto } from './factor-dto.js';
import { Factors, type Factor, type FactorType } from './factors.js';
import type { EnrolledDto } from './mfa.dto.js';
import { RecoveryCodes } from './recovery-codes.js';
import { TrustedDevices } from './trusted-devices.js';

/** What every new second factor means, whichever kind it is. */
@Injectable()
export class Enrolment {
  constructor(
    private readonly database: TenantDatabase,
    private readonly factors: Factors,
    private readonly codes: RecoveryCodes,
    private readonly devices: TrustedDevices,
    private readonly sessions: SessionList,
    private readonly stepUp: StepUp,
  ) {}

  /** Who sets a factor up: a person in a session of their own. */
  async personOf({ id, sessionId }: Actor): Promise<{ user: UserEntity; sessionId: string }> {
    if (sessionId === undefined) throw new StepUpNeedsSession();
    const user = await this.database.repository(UserEntity).findOneBy({ id });
    if (!user) throw new ResourceNotFound('user');
    return { user, sessionId };
  }

  /**
   * A factor counts from now on: in the running unit of work. It has just been proved in this session, which is good for
   * everything if it was not. With the first one there are codes for when it is lost, and the person's other sessions
   * end: of those nobody knows that they are the person's.
   */
  async completed(userId: string, sessionId: string, factor: Factor): Promise<EnrolledDto> {
    await this.factors.lock(userId);
    const first = (await this.factors.of(userId)).every(({ id }) => id === factor.id);
    const codes = (await this.codes.left(userId)) === 0 ? await this.codes.replace(userId) : undefined;
    await this.devices.revokeAll(userId);
    if (first) await this.sessions.endAll(userId, sessionId);
    await this.database.query({
      text: 'UPDATE sessions SET enrolment_only = false WHERE id = $1',
      values: [sessionId],
    });
    await this.stepUp.proved(sessionId, userId, { secondFactor: true });
    auditDetails({
      resource: { type: 'second_factor', id: factor.id },
      changes: { user: userId, type: factor.type, first, ...aaguidOf(factor) },
      subject: userId,
    });
    return { ...factorDto(factor), ...(codes && { recoveryCodes: codes }) };
  }
}

function aaguidOf({ details }: Factor): { aaguid?: string } {
  return details.credential ? { aaguid: details.credential.aaguid } : {};
}

/** What a person calls a factor who has not called it anything. */
export function usualName(type: FactorType): string {
  return { totp: 'Authenticator app', webauthn: 'Security key', sms: 'Telephone' }[type];
}
