import { Injectable } from '@nestjs/common';
import { domainOf, DomainRegistry } from '../domains/index.js';
import { NetworkAdmission } from '../limits/index.js';
import { RegionConfig } from '../platform/config/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { currentRequest } from '../platform/http/request-context.js';
import { requestTenant, requireServedRegion, TenantRegistry } from '../tenancy/index.js';
import { Addresses } from './addresses.js';
import { ConnectionStore } from './connection-store.js';
import type { DiscoveredDto } from './sign-in.dto.js';

/** Finds where somebody signs in, from the domain of the address alone: whether there is such a person is not looked at. */
@Injectable()
export class Discover {
  constructor(
    private readonly domains: DomainRegistry,
    private readonly tenants: TenantRegistry,
    private readonly database: TenantDatabase,
    private readonly store: ConnectionStore,
    private readonly addresses: Addresses,
    private readonly regions: RegionConfig,
    private readonly network: NetworkAdmission,
  ) {}

  async execute(email: string): Promise<DiscoveredDto> {
    const request = currentRequest();
    if (!request) throw new Error('A sign-in begins with a request.');
    const name = domainOf(email);
    const holder = name === undefined ? undefined : await this.domains.holder(name);
    const tenant = holder && (await this.tenants.byId(holder));
    if (name === undefined || tenant?.status !== 'active' || tenant.behind) {
      // It would be kept in the installation's log, which has nothing to do with who this is.
      request.body = undefined;
      return { method: 'password' };
    }
    requireServedRegion(this.regions, tenant.region);
    request.tenant = requestTenant(tenant);
    this.network.require(request.tenant, request);
    return this.database.within(request.tenant, async () => {
      const connection = await this.store.activeFor(name);
      if (!connection) return { method: 'password' };
      return { method: 'sso', startUrl: this.addresses.of(connection.id, 'start') };
    });
  }
}
