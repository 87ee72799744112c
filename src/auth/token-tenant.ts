import { Injectable } from '@nestjs/common';
import { NetworkAdmission } from '../limits/index.js';
import type { TenantId } from '../platform/database/index.js';
import { currentRequest, type RequestTenant } from '../platform/http/request-context.js';
import { requestTenant, requireServed, TenantRegistry } from '../tenancy/index.js';

/** Finds out for whom a public request is whose body has a token: the token says its tenant; nothing else has to. */
@Injectable()
export class TokenTenant {
  constructor(
    private readonly tenants: TenantRegistry,
    private readonly network: NetworkAdmission,
  ) {}

  /**
   * @param hex the sixteen hexadecimal digits of a tenant's id, as they stand in a token
   * @returns undefined where there is no such tenant, or the request names another
   */
  async of(hex: string | undefined): Promise<RequestTenant | undefined> {
    const tenant = hex === undefined ? undefined : await this.tenants.byId(`t_${hex}` as TenantId);
    const request = currentRequest();
    if (!tenant || !request) return undefined;
    if (tenant.status === 'creating' || tenant.status === 'purging') return undefined;
    if (request.tenant && request.tenant.id !== tenant.id) return undefined;
    requireServed(tenant, request.endpoint);
    request.tenant = requestTenant(tenant);
    // Its guard could not know yet for whom the request is.
    this.network.require(request.tenant, request);
    return request.tenant;
  }
}
