export { OrganisationId } from './organisation-id.js';
export { RegionGuard, requireServedRegion } from './region.guard.js';
export { Residence, TenantMoving } from './residence.js';
export { TenancyModule } from './tenancy.module.js';
export {
  CLAIM_SLUG,
  findTenants,
  SlugTaken,
  TenantRegistry,
  type Tenant,
  type TenantStatus,
} from './tenant-registry.js';
export { requestTenant, TenantGuard } from './tenant.guard.js';
export { EnforceQuotas, QuotaExceeded, nextDay } from './enforce-quotas.js';
export { requireServed, TenantBeingUpgraded } from './tenant-status.js';
export { DEFAULT_QUOTAS, quotasOf, type Quotas } from './quotas.js';
