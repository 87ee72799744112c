import { Injectable } from '@nestjs/common';
import type { TenantId } from '../platform/database/index.js';
import { AppError, ResourceNotFound } from '../platform/http/errors.js';
import { TenantRegistry, type Tenant } from '../tenancy/index.js';

export class TenantGone extends AppError {
  readonly kind = 'not_found';
  readonly code = 'TENANT_GONE';
  constructor(purgedAt: Date) {
    super(
      `This organisation was purged at ${purgedAt.toISOString()}. What is left of it is that, in the installation's log.`,
    );
  }
}

/** Organisations as the operator names them: by id. */
@Injectable()
export class KnownOrganisations {
  constructor(private readonly tenants: TenantRegistry) {}

  /** @throws {TenantGone} for one that was purged; {ResourceNotFound} for one that there never was */
  async require(id: TenantId): Promise<Tenant> {
    const tenant = await this.tenants.current(id);
    if (tenant) return tenant;
    const purgedAt = await this.tenants.purgedAt(id);
    throw purgedAt ? new TenantGone(purgedAt) : new ResourceNotFound('organisation');
  }
}
