export { TenancyModule } from './tenancy.module.js';
export { TenantGuard } from './tenant.guard.js';
export { CLAIM_SLUG, SlugTaken, TenantRegistry, type Tenant, type TenantStatus } from './tenant-registry.js';
export { EnforceQuotas, nextDay } from './enforce-quotas.js';
export { requireServed } from './tenant-status.js';
export { DEFAULT_QUOTAS, quotasOf, type Quotas } from './quotas.js';
