import { Injectable } from '@nestjs/common';
import { Authority, lockedUser, ROLE_OF_STANDING, SessionList } from '../auth/index.js';
import { announce, currentTenant, TenantDatabase } from '../platform/database/index.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import { cursorKey, pageOf, UUID_KEY, type Page, type PageQuery } from '../platform/http/pagination.js';
import { auditDetails, type Actor, type RequestTenant } from '../platform/http/request-context.js';
import type { SecondFactorRules } from '../platform/http/tenant-rules.js';
import { UnitOfWork } from '../requests/index.js';
import { secondFactorRules } from '../sign-in/index.js';
import { Challenges } from './challenges.js';
import { Factors, type FactorType } from './factors.js';
import { CannotResetSelf } from './mfa.errors.js';
import type { PersonFactorsDto, ResetFactorsDto } from './mfa.dto.js';
import { Notices } from './notices.js';
import { RecoveryCodes } from './recovery-codes.js';
import { isRequired, requiredFrom } from './requirement.js';
import { TrustedDevices } from './trusted-devices.js';

interface Row extends Record<string, unknown> {
  id: string;
  role: string;
  asked_at: Date;
  types: FactorType[];
  codes: number;
}

/** More than anybody's days of grace. */
const NO_GRACE_DAYS = 31;

/** What administrators see and do about the second factors of the people of their organisation. */
@Injectable()
export class PersonFactors {
  constructor(
    private readonly database: TenantDatabase,
    private readonly factors: Factors,
    private readonly codes: RecoveryCodes,
    private readonly devices: TrustedDevices,
    private readonly challenges: Challenges,
    private readonly sessions: SessionList,
    private readonly notices: Notices,
    private readonly work: UnitOfWork,
    private readonly authority: Authority,
  ) {}

  async list(tenant: RequestTenant, { cursor, limit }: PageQuery): Promise<Page<PersonFactorsDto>> {
    const after = cursorKey(cursor, UUID_KEY);
    const rows = await this.#rows('($1::uuid IS NULL OR u.id > $1)', [after ?? null, limit + 1]);
    const rules = secondFactorRules(tenant);
    return pageOf(
      rows,
      limit,
      ({ id }) => id,
      (row) => personDto(rules, row),
    );
  }

  async read(tenant: RequestTenant, id: string): Promise<PersonFactorsDto> {
    const [row] = await this.#rows('u.id = $1', [id, 1]);
    if (!row) throw new ResourceNotFound('user');
    auditDetails({ resource: { type: 'user', id } });
    return personDto(secondFactorRules(tenant), row);
  }

  /**
   * Takes all of a person's factors away, and whatever was proved with them: sessions end. Where a second factor is asked of
   * the person, the next sign-in is good for setting one up, and for nothing else.
   */
  async reset(actor: Actor, id: string): Promise<ResetFactorsDto> {
    if (actor.id === id) throw new CannotResetSelf();
    const { user, removed } = await this.work.run(async () => {
      const { user: person } = await lockedUser(this.database, id);
      await this.authority.overPerson(actor, person);
      const taken = await this.factors.removeAll(id);
      await this.codes.clear(id);
      await this.devices.revokeAll(id);
      await this.challenges.clear(id);
      await this.database.query({
        text: `UPDATE users SET epoch = epoch + 1, second_factor_asked_at = now() - make_interval(days => ${NO_GRACE_DAYS})
          WHERE id = $1`,
        values: [id],
      });
      const ended = await this.sessions.endAll(id);
      await this.database.query(announce({ kind: 'user', tenant: currentTenant().id, id }));
      auditDetails({ resource: { type: 'user', id }, changes: { removed: taken, ended }, subject: id });
      return { user: person, removed: taken };
    });
    this.notices.tell(user, 'factors_reset');
    return { removed };
  }

  #rows(where: string, values: readonly unknown[]): Promise<Row[]> {
    return this.database.query<Row>({
      text: `SELECT u.id, ${ROLE_OF_STANDING} AS role, u.second_factor_asked_at AS asked_at,
          ARRAY(SELECT DISTINCT f.type FROM second_factors f WHERE f.user_id = u.id AND f.active_at IS NOT NULL ORDER BY 1) AS types,
          (SELECT count(*)::int FROM recovery_codes c WHERE c.user_id = u.id AND c.used_at IS NULL) AS codes
        FROM users u WHERE u.status <> 'erased' AND ${where} ORDER BY u.id LIMIT $2`,
      values: [...values],
    });
  }
}

function personDto(rules: SecondFactorRules, row: Row): PersonFactorsDto {
  const from = requiredFrom(rules, { role: row.role, askedAt: row.asked_at });
  return {
    userId: row.id,
    types: row.types,
    recoveryCodesLeft: row.codes,
    required: isRequired(rules, row.role),
    ...(from && { requiredFrom: from.toISOString() }),
  };
}
