export { TenancyModule } from './tenancy.module.js';
export { requestTenant, TenantGuard } from './tenant.guard.js';
export { TenantRegistry, type Tenant } from './tenant-registry.js';
