import { Injectable } from '@nestjs/common';
import { TenantDatabase } from '../platform/database/index.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import { auditDetails, type Actor, type RequestTenant } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { secondFactorRules } from '../sign-in/index.js';
import { Enrolment } from './enrolment.js';
import { factorDto } from './factor-dto.js';
import { Factors } from './factors.js';
import { LastSecondFactor, NoSecondFactor } from './mfa.errors.js';
import type { RecoveryCodesDto, SecondFactorDto, SecondFactorsDto, TrustedDevicesDto } from './mfa.dto.js';
import { Notices } from './notices.js';
import { RecoveryCodes } from './recovery-codes.js';
import { isRequired, requiredFrom, standingOf } from './requirement.js';
import { TrustedDevices } from './trusted-devices.js';

/** What people see and change of their own second factors. */
@Injectable()
export class OwnFactors {
  constructor(
    private readonly database: TenantDatabase,
    private readonly factors: Factors,
    private readonly codes: RecoveryCodes,
    private readonly devices: TrustedDevices,
    private readonly enrolment: Enrolment,
    private readonly notices: Notices,
    private readonly work: UnitOfWork,
  ) {}

  async list(actor: Actor, tenant: RequestTenant): Promise<SecondFactorsDto> {
    const userId = personOf(actor);
    const rules = secondFactorRules(tenant);
    const standing = await standingOf(this.database, userId);
    const from = requiredFrom(rules, standing);
    return {
      items: (await this.factors.of(userId)).map(factorDto),
      recoveryCodesLeft: await this.codes.left(userId),
      required: isRequired(rules, standing.role),
      ...(from && { requiredFrom: from.toISOString() }),
    };
  }

  async rename(actor: Actor, id: string, name: string): Promise<SecondFactorDto> {
    const { user } = await this.enrolment.personOf(actor);
    return this.work.run(async () => {
      await this.factors.lock(user.id);
      const factor = (await this.factors.of(user.id)).find((one) => one.id === id);
      if (!factor) throw new ResourceNotFound('second factor');
      await this.factors.rename(factor, name);
      auditDetails({ resource: { type: 'second_factor', id }, subject: user.id });
      return factorDto({ ...factor, details: { ...factor.details, name } });
    });
  }

  /** @throws {LastSecondFactor} while the organisation asks for one */
  async remove(actor: Actor, tenant: RequestTenant, id: string): Promise<void> {
    const { user } = await this.enrolment.personOf(actor);
    const rules = secondFactorRules(tenant);
    await this.work.run(async () => {
      await this.factors.lock(user.id);
      const type = await this.factors.remove(user.id, id);
      if (type === undefined) throw new ResourceNotFound('second factor');
      const left = await this.factors.typesOf(user.id, tenant);
      if (left.length === 0) {
        const { role } = await standingOf(this.database, user.id);
        if (isRequired(rules, role)) throw new LastSecondFactor();
        await this.codes.clear(user.id);
      }
      await this.devices.revokeAll(user.id);
      auditDetails({
        resource: { type: 'second_factor', id },
        changes: { user: user.id, type },
        subject: user.id,
      });
    });
    this.notices.tell(user, 'factor_removed');
  }

  /** Ten new codes in the place of the former ones. */
  async replaceCodes(actor: Actor, tenant: RequestTenant): Promise<RecoveryCodesDto> {
    const { user } = await this.enrolment.personOf(actor);
    const replaced = await this.work.run(async () => {
      await this.factors.lock(user.id);
      if ((await this.factors.typesOf(user.id, tenant)).length === 0) throw new NoSecondFactor();
      auditDetails({ resource: { type: 'user', id: user.id }, subject: user.id });
      return { recoveryCodes: await this.codes.replace(user.id) };
    });
    this.notices.tell(user, 'recovery_codes_replaced');
    return replaced;
  }

  async trustedDevices(actor: Actor): Promise<TrustedDevicesDto> {
    return { items: await this.devices.list(personOf(actor)) };
  }

  async revokeDevice(actor: Actor, id: string): Promise<void> {
    await this.work.run(async () => {
      if (!(await this.devices.revoke(personOf(actor), id))) throw new ResourceNotFound('trusted device');
      auditDetails({ resource: { type: 'trusted_device', id } });
    });
  }
}

/** Whose: an API key asks for those of its person. */
function personOf(actor: Actor): string {
  return actor.userId ?? actor.id;
}
