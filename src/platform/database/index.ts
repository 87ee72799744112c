export { Cell, Cells, type CellConfig, type PoolSizes } from './cells.js';
export { compileMigrations, type CompiledMigration, type MigrationClass } from './migration.js';
export { Migrator, type MigrationPlan, type MigrationReport } from './migrator.js';
export { TenantDatabase, type Statement, type TenantRef } from './tenant-database.js';
export { isTenantId, PLATFORM_TENANT, tenantId, type TenantId } from './tenant-id.js';
export { currentTenant, TenantMissing } from './tenant-scope.js';
export { StatementRefused } from './tenant-client.js';
export { connectionOf, type Login } from './logins.js';
export { announce, Feed, type Change } from './feed.js';
