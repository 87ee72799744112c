import { Injectable } from '@nestjs/common';
import { encodeQR } from 'qr';
import { auditDetails, type Actor, type RequestTenant } from '../../platform/http/request-context.js';
import { ResourceNotFound } from '../../platform/http/errors.js';
import { UnitOfWork } from '../../requests/index.js';
import { Enrolment, usualName } from '../enrolment.js';
import { ENROLMENT_SECONDS, Factors } from '../factors.js';
import { EnrolmentFailed } from '../mfa.errors.js';
import type { BegunTotpDto, EnrolledDto } from '../mfa.dto.js';
import { Notices } from '../notices.js';
import { matchingStep, newTotpSecret, otpauthUri } from './totp.js';

/** Setting an authenticator app up: it counts once it has shown a right code. */
@Injectable()
export class EnrolTotp {
  constructor(
    private readonly factors: Factors,
    private readonly enrolment: Enrolment,
    private readonly notices: Notices,
    private readonly work: UnitOfWork,
  ) {}

  async begin(actor: Actor, { slug }: RequestTenant, name = usualName('totp')): Promise<BegunTotpDto> {
    const { user } = await this.enrolment.personOf(actor);
    const secret = newTotpSecret();
    const uri = otpauthUri(secret, { issuer: `Waxell (${slug})`, account: user.email?.reveal() ?? user.id });
    return this.work.run(async () => {
      const id = await this.factors.add(user.id, 'totp', { name, secret: secret.toString('base64') });
      auditDetails({
        resource: { type: 'second_factor', id },
        changes: { user: user.id, type: 'totp' },
        subject: user.id,
      });
      return {
        id,
        secret: secretOf(uri),
        uri,
        qrCode: encodeQR(uri, 'svg', { ecc: 'medium' }),
        expiresIn: ENROLMENT_SECONDS,
      };
    });
  }

  /** @throws {EnrolmentFailed} */
  async confirm(actor: Actor, id: string, code: string): Promise<EnrolledDto> {
    const { user, sessionId } = await this.enrolment.personOf(actor);
    const factor = await this.factors.begun(user.id, id);
    if (factor?.type !== 'totp') throw new ResourceNotFound('second factor');
    const step = matchingStep(Buffer.from(factor.details.secret ?? '', 'base64'), code, Date.now());
    if (step === undefined)
      throw new EnrolmentFailed(
        'The code is not right. Look whether the clock of your telephone is, and send the code that the app shows now.',
        'TOTP_WRONG',
      );
    const enrolled = await this.work.run(async () => {
      // The code that was shown here signs nobody in.
      if (!(await this.factors.activate(id, step))) throw new ResourceNotFound('second factor');
      return this.enrolment.completed(user.id, sessionId, factor);
    });
    this.notices.tell(user, 'factor_added');
    return enrolled;
  }
}

function secretOf(uri: string): string {
  return new URL(uri).searchParams.get('secret') ?? '';
}
