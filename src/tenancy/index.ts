export { TenancyModule } from './tenancy.module.js';
export { TenantBeingUpgraded, TenantGuard } from './tenant.guard.js';
export { findTenants, SlugTaken, TenantRegistry, type Tenant } from './tenant-registry.js';
