export { Cell, Cells, type CellConfig, type PoolSizes } from './cells.js';
export {
  compileMigrations,
  type CompiledMigration,
  type MigrationClass,
  type MigrationPlan,
} from './migration.js';
export { TenantDatabase, type Statement } from './tenant-database.js';
export { expireRows, rowsKeptFor } from './expiring-rows.js';
export { isTenantId, PLATFORM_TENANT, tenantId, type TenantId, type TenantRef } from './tenant-id.js';
export { checkedCopy } from './checked-copy.js';
export { copyOut, copyOutOf } from './copy-out.js';
export { CopyRows } from './copy-rows.js';
export { currentTenant, tenantInScope, TenantMissing } from './tenant-scope.js';
export { StatementRefused } from './statement-refused.js';
export type { RegistryTransaction } from './registry-transactions.js';
export { databaseCertificates, databaseTlsMode } from './database-tls.js';
export { connectionOf, loginRole, LOGINS, type Login } from './logins.js';
export { announce, announceInRegistry, announceUsers, Feed, type Change } from './feed.js';
export {
  Provisioning,
  type MigrateOptions,
  type MigrationClasses,
  type MigrationReport,
} from './provisioning.js';
export { reviewMigrations, type Finding } from './migration-review.js';
export type { PendingMigrations } from './migrator.js';
export type { FailedTenant, Progress } from './tenant-migrations.js';
export { SpareFiller } from './spare-filler.js';
export { LogPeriods, PeriodNotAccounted, type LogPeriod } from './log-periods.js';
export { asOwner } from './owner-session.js';
export {
  ChangedMeanwhile,
  readCell,
  requireEmpty,
  restoreCell,
  RestoreRefused,
  type BackupPart,
} from './backups/index.js';
export { CHECKPOINT_ROUND_LOCK, INDEX_LOCK, TenantErasure, type LogEnd } from './tenant-erasure.js';
