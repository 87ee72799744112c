import type { MigrationClass } from '../platform/database/migration.js';
import { CellFoundation20261121000000 } from './cell-1-foundation.js';
import { CellLimits20261121000600 } from './cell-6-limits.js';
import { TenantFoundation20261121000000 } from './tenant-1-foundation.js';

/** Applied once per database, in the order of their timestamps. */
export const CELL_MIGRATIONS: readonly MigrationClass[] = [
  CellFoundation20261121000000,
  CellLimits20261121000600,
];

/** Applied once per tenant. */
export const TENANT_MIGRATIONS: readonly MigrationClass[] = [TenantFoundation20261121000000];
