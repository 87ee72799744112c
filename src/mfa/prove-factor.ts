import { Injectable } from '@nestjs/common';
import { placeOf } from '../auth/index.js';
import { EventRecorder, type AuditEvent } from '../audit/index.js';
import { networkOf } from '../limits/index.js';
import { currentTenant } from '../platform/database/index.js';
import type { AuditAction } from '../platform/events/index.js';
import { InvalidRequest } from '../platform/http/errors.js';
import { currentRequest } from '../platform/http/request-context.js';
import { SignInAttempts, type Counted } from '../sign-in/index.js';
import { webauthnChallenge, type Challenge } from './challenges.js';
import { Factors, type Factor } from './factors.js';
import { FactorRefused } from './mfa.errors.js';
import type { ShownFactorDto } from './mfa.dto.js';
import { RecoveryCodes } from './recovery-codes.js';
import { TextCodes } from './sms/text-codes.js';
import { matchingStep } from './totp/totp.js';
import { RelyingParty } from './webauthn/relying-party.js';
import { shownAssertion } from './webauthn/shown-credential.js';
import { verifyAssertion } from './webauthn/verify-assertion.js';

export type FactorMethod = 'totp' | 'webauthn' | 'sms' | 'recovery_code';

/** A factor that was right, and can be used. */
export interface FactorProof {
  readonly method: FactorMethod;
  readonly factorId?: string;
  readonly userVerified?: boolean;
  /** Whether it could be used: of two requests at once that show the same, one is the first. In the running unit of work. */
  readonly use: () => Promise<boolean>;
  /** Absent of a passkey, at which nobody can guess. */
  readonly counted?: Counted;
}

/** Looks at what somebody shows as a second factor: counted as wrong passwords are, before it is looked at. */
@Injectable()
export class ProveFactor {
  constructor(
    private readonly attempts: SignInAttempts,
    private readonly factors: Factors,
    private readonly codes: RecoveryCodes,
    private readonly party: RelyingParty,
    private readonly messages: TextCodes,
    private readonly events: EventRecorder,
  ) {}

  /**
   * @param challenge what a security key has signed
   * @throws {FactorRefused}
   */
  async execute(
    userId: string,
    shown: ShownFactorDto,
    challenge: Challenge | undefined,
  ): Promise<FactorProof> {
    const method = methodOf(shown);
    const request = currentRequest();
    if (!request) throw new Error('A factor comes with a request.');
    const attempt = { userId, account: userId, place: placeOf(), network: networkOf(request.ip) };
    const counted = await this.attempts.count(attempt, { factor: true });
    try {
      const found = await this.#look(userId, method, shown, challenge);
      // Only now: as long as it takes says nothing of whether one may try.
      if (!counted.admitted) throw new FactorRefused('LOCKED');
      return { ...found, counted };
    } catch (error) {
      if (error instanceof FactorRefused) await this.failed(userId, method, error.reason);
      throw error;
    }
  }

  /** Uses it, in the running unit of work: the person is known here, and nothing counts against them. @throws {FactorRefused} */
  async use(userId: string, { method, factorId, userVerified, use, counted }: FactorProof): Promise<void> {
    if (!(await use())) throw new FactorRefused('FACTOR_REPLAYED');
    if (counted) await this.attempts.succeeded(counted);
    await this.attempts.remember(userId, placeOf());
    const changes = {
      method,
      ...(factorId !== undefined && { factor: factorId }),
      ...(userVerified !== undefined && { userVerified }),
    };
    await this.alsoHappened(userId, 'second_factor.verified', changes);
    if (method === 'recovery_code')
      await this.alsoHappened(userId, 'recovery_code.used', { left: await this.codes.left(userId) });
  }

  /** An event beside that of the request, in the running unit of work. */
  alsoHappened(userId: string, action: AuditAction, changes: Record<string, unknown>): Promise<void> {
    return this.events.recordInTransaction(currentTenant(), eventOf(userId, action, 'success', changes));
  }

  /** The event of a proof that was none. */
  async failed(userId: string, method: string, reason: string): Promise<void> {
    const event = eventOf(userId, 'second_factor.verified', 'denied', { method });
    await this.events.record(currentTenant(), { ...event, reason });
  }

  async #look(
    userId: string,
    method: FactorMethod,
    shown: ShownFactorDto,
    challenge: Challenge | undefined,
  ): Promise<FactorProof> {
    if (method === 'recovery_code') return this.#recoveryCode(userId, shown.recoveryCode ?? '');
    const own = (await this.factors.of(userId)).filter(({ type }) => type === method);
    if (own.length === 0) throw new FactorRefused('FACTOR_MISSING');
    if (method === 'sms') return this.#sms(own, shown.sms ?? '', challenge);
    return method === 'totp' ? this.#totp(own, shown.totp ?? '') : this.#webauthn(own, shown, challenge);
  }

  #totp(factors: readonly Factor[], code: string): FactorProof {
    const now = Date.now();
    for (const { id, details } of factors) {
      const step = matchingStep(Buffer.from(details.secret ?? '', 'base64'), code, now);
      if (step !== undefined) return { method: 'totp', factorId: id, use: () => this.factors.use(id, step) };
    }
    throw new FactorRefused('TOTP_WRONG');
  }

  async #sms(
    [factor]: readonly Factor[],
    code: string,
    challenge: Challenge | undefined,
  ): Promise<FactorProof> {
    if (!factor || !challenge) throw new FactorRefused('FACTOR_MISSING');
    const message = await this.messages.matching(challenge.id, factor.userId, code);
    if (message === undefined) throw new FactorRefused('SMS_WRONG');
    const use = async (): Promise<boolean> =>
      (await this.messages.use(message)) && (await this.factors.use(factor.id, 0));
    return { method: 'sms', factorId: factor.id, use };
  }

  async #webauthn(
    factors: readonly Factor[],
    { webauthn = {} }: ShownFactorDto,
    challenge: Challenge | undefined,
  ): Promise<FactorProof> {
    if (!challenge) throw new FactorRefused('WEBAUTHN_CHALLENGE');
    const shown = shownAssertion(webauthn);
    const factor = factors.find(({ details }) => details.credential?.id === shown.id);
    if (!factor) throw new FactorRefused('WEBAUTHN_UNKNOWN_CREDENTIAL');
    const { counter, userVerified } = await verifyAssertion(shown, factor, {
      party: this.party,
      challenge: webauthnChallenge(challenge.token),
      userVerification: 'preferred',
    });
    const { id } = factor;
    return { method: 'webauthn', factorId: id, userVerified, use: () => this.factors.use(id, counter) };
  }

  async #recoveryCode(userId: string, code: string): Promise<FactorProof> {
    if (!(await this.codes.fits(userId, code))) throw new FactorRefused('RECOVERY_CODE_WRONG');
    return { method: 'recovery_code', use: () => this.codes.use(userId, code) };
  }
}

/** Which one is shown. @throws {InvalidRequest} where it is none, or several */
export function methodOf({ totp, webauthn, sms, recoveryCode }: ShownFactorDto): FactorMethod {
  const shown = [
    ...(totp === undefined ? [] : ['totp' as const]),
    ...(webauthn === undefined ? [] : ['webauthn' as const]),
    ...(sms === undefined ? [] : ['sms' as const]),
    ...(recoveryCode === undefined ? [] : ['recovery_code' as const]),
  ];
  const [method] = shown;
  if (method === undefined || shown.length > 1)
    throw new InvalidRequest([{ pointer: '', detail: 'send one of totp, webauthn, sms and recoveryCode' }]);
  return method;
}

function eventOf(
  userId: string,
  action: AuditAction,
  outcome: 'success' | 'denied',
  changes: Record<string, unknown>,
): AuditEvent {
  const request = currentRequest();
  const actor =
    request?.actor.type === 'user' ? request.actor : { type: 'anonymous' as const, id: 'anonymous' };
  return {
    action,
    actor,
    outcome,
    resource: { type: 'user', id: userId },
    changes,
    subject: userId,
    ...(request && {
      request: { id: request.requestId, method: request.method, path: request.path },
      client: { ip: request.ip, userAgent: request.userAgent },
    }),
  };
}
