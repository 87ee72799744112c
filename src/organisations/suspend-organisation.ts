import { Injectable } from '@nestjs/common';
import type { TenantId } from '../platform/database/index.js';
import { auditDetails } from '../platform/http/request-context.js';
import type { Tenant } from '../tenancy/index.js';
import { ChangeOrganisation } from './change-organisation.js';

/** Stops an organisation for a while. Every process hears of it at once: see the README. */
@Injectable()
export class SuspendOrganisation {
  constructor(private readonly change: ChangeOrganisation) {}

  suspend(id: TenantId, reason: string): Promise<Tenant> {
    return this.change.execute(id, 'suspend', () => {
      auditDetails({ changes: { reason } });
      return Promise.resolve({ suspendedReason: reason });
    });
  }

  resume(id: TenantId): Promise<Tenant> {
    return this.change.execute(id, 'resume', () => Promise.resolve({ suspendedReason: undefined }));
  }
}
