export { RegionGuard, requireServedRegion } from './region.guard.js';
export { Residence, TenantMoving } from './residence.js';
export { TenancyModule } from './tenancy.module.js';
export { TenantGuard } from './tenant.guard.js';
export { TenantRegistry, type Tenant } from './tenant-registry.js';
