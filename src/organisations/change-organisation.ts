import { Injectable } from '@nestjs/common';
import { eventOfRequest } from '../audit/index.js';
import type { RegistryTransaction, TenantId } from '../platform/database/index.js';
import { auditDetails, currentRequest } from '../platform/http/request-context.js';
import { RegistryWork } from '../requests/index.js';
import { TenantRegistry, type Tenant } from '../tenancy/index.js';
import { KnownOrganisations } from './known-organisations.js';
import { statusAfter, type LifecycleAction } from './lifecycle.js';
import { TellTenant } from './tell-tenant.js';

/** What becomes different in an organisation's entry. `undefined` takes a value away. */
export type EntryChange = Partial<
  Pick<Tenant, 'slug' | 'name' | 'quotas'> & {
    suspendedReason: string | undefined;
    deleteAfter: Date | undefined;
  }
>;

/**
 * One change of an organisation by the operator: possible in its state, and told to the installation's log in the same
 * transaction; the organisation's own log is told too, which is in another database, by a notice.
 */
@Injectable()
export class ChangeOrganisation {
  constructor(
    private readonly work: RegistryWork,
    private readonly tenants: TenantRegistry,
    private readonly known: KnownOrganisations,
    private readonly tell: TellTenant,
  ) {}

  /** `change` says what becomes different, and may do in the transaction what belongs to it; it throws to refuse. */
  async execute(
    id: TenantId,
    action: LifecycleAction,
    change: (registry: RegistryTransaction, tenant: Tenant) => Promise<EntryChange>,
  ): Promise<Tenant> {
    auditDetails({ resource: { type: 'tenant', id } });
    await this.known.require(id);
    return this.work.run(id, async (registry) => {
      const tenant = await this.tenants.locked(registry, id);
      const status = statusAfter(action, tenant);
      const changed = { ...tenant, ...(await change(registry, tenant)), status };
      await registry.query({
        text: `UPDATE control.tenants SET status = $2, slug = $3, name = $4, quotas = $5, suspended_reason = $6,
            delete_after = $7, version = version + 1 WHERE id = $1`,
        values: [
          id,
          status,
          changed.slug,
          changed.name,
          JSON.stringify(changed.quotas),
          changed.suspendedReason ?? null,
          changed.deleteAfter ?? null,
        ],
      });
      const request = currentRequest();
      if (request) await this.tell.note(registry, tenant, eventOfRequest(request, 'success'));
      return this.tenants.locked(registry, id);
    });
  }
}
