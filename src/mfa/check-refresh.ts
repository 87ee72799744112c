import { Injectable, type OnModuleInit } from '@nestjs/common';
import { RefreshChecks, type RefreshedSession } from '../auth/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { auditDetails, type RequestTenant } from '../platform/http/request-context.js';
import { secondFactorRules } from '../sign-in/index.js';
import { Factors } from './factors.js';
import { isOverdue } from './requirement.js';

/**
 * Whether a session goes on that was opened before a second factor was asked of its person: in the days of grace, or before
 * a grant made them an Admin. Who is refused signs in anew, which leads to a factor.
 */
@Injectable()
export class CheckRefresh implements OnModuleInit {
  constructor(
    private readonly checks: RefreshChecks,
    private readonly database: TenantDatabase,
    private readonly factors: Factors,
  ) {}

  onModuleInit(): void {
    this.checks.add((tenant, session) => this.#mayGoOn(tenant, session));
  }

  async #mayGoOn(
    tenant: RequestTenant,
    { userId, method, secondFactorProved, enrolmentOnly }: RefreshedSession,
  ): Promise<boolean> {
    if (enrolmentOnly) return true;
    const may = secondFactorProved
      ? await this.#stillCounts(tenant, userId, method)
      : !(await isOverdue(this.database, secondFactorRules(tenant), userId));
    if (!may) auditDetails({ changes: { secondFactor: 'due' } });
    return may;
  }

  /** A provider's word is not looked at again: it was about the provider's own factor, of which nothing is known here. */
  async #stillCounts(tenant: RequestTenant, userId: string, method: string): Promise<boolean> {
    if (method === 'oidc' || method === 'saml') return true;
    const { counting, had } = await this.factors.askedOf(userId, tenant);
    return counting.length > 0 || !had;
  }
}
