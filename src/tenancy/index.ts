export { TenancyModule } from './tenancy.module.js';
export { requestTenant, TenantBeingUpgraded, TenantGuard } from './tenant.guard.js';
export { findTenants, SlugTaken, TenantRegistry, type Tenant } from './tenant-registry.js';
