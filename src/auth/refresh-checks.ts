import { Injectable } from '@nestjs/common';
import type { RequestTenant } from '../platform/http/request-context.js';

/** A session that is to be refreshed, as it was opened and proved since. */
export interface RefreshedSession {
  readonly userId: string;
  /** As sessions are opened by. */
  readonly method: string;
  readonly secondFactorProved: boolean;
  readonly enrolmentOnly: boolean;
}

/** Whether the session may go on. In the running unit of work. */
export type RefreshCheck = (tenant: RequestTenant, session: RefreshedSession) => Promise<boolean>;

/** Rooms that know more of a session than that it is alive say here whether it goes on: it lives longer than what it was opened under. */
@Injectable()
export class RefreshChecks {
  readonly #checks: RefreshCheck[] = [];

  add(check: RefreshCheck): void {
    this.#checks.push(check);
  }

  async pass(tenant: RequestTenant, session: RefreshedSession): Promise<boolean> {
    for (const check of this.#checks) if (!(await check(tenant, session))) return false;
    return true;
  }
}
