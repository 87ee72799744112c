import { Injectable } from '@nestjs/common';
import { eventOfRequest } from '../audit/index.js';
import type { RegistryTransaction, TenantId } from '../platform/database/index.js';
import { auditDetails, currentRequest } from '../platform/http/request-context.js';
import { RegistryWork } from '../requests/index.js';
import { LegalHolds, RetentionKeeper } from '../retention/index.js';
import { TenantRegistry, type Tenant } from '../tenancy/index.js';
import { PurgeBegun } from './delete-organisation.js';
import { KnownOrganisations } from './known-organisations.js';
import { TellTenant } from './tell-tenant.js';

/** The operator's legal hold of an organisation's log: nobody in the organisation can lift it. */
@Injectable()
export class HoldOrganisation {
  constructor(
    private readonly work: RegistryWork,
    private readonly tenants: TenantRegistry,
    private readonly known: KnownOrganisations,
    private readonly holds: LegalHolds,
    private readonly tell: TellTenant,
    private readonly keeper: RetentionKeeper,
  ) {}

  set(id: TenantId, reason: string): Promise<void> {
    return this.#change(id, (registry, tenant) => this.holds.set(registry, tenant, 'operator', reason));
  }

  lift(id: TenantId): Promise<void> {
    return this.#change(id, (registry, tenant) => this.holds.lift(registry, tenant, 'operator'));
  }

  async #change(
    id: TenantId,
    change: (registry: RegistryTransaction, tenant: Tenant) => Promise<void>,
  ): Promise<void> {
    auditDetails({ resource: { type: 'tenant', id } });
    await this.known.require(id);
    await this.work.run(id, async (registry) => {
      const tenant = await this.tenants.locked(registry, id);
      if (tenant.status === 'purging') throw new PurgeBegun();
      await change(registry, tenant);
      const request = currentRequest();
      if (request) await this.tell.note(registry, tenant, eventOfRequest(request, 'success'));
    });
    this.keeper.look();
  }
}
