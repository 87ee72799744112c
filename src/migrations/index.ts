import type { MigrationClass } from '../platform/database/migration.js';
import { CellFoundation20261121000000 } from './cell-1-foundation.js';
import { CellHardening20261121000700 } from './cell-7-hardening.js';
import { TenantFoundation20261121000000 } from './tenant-1-foundation.js';

/** Applied once per database, in the order of their timestamps. */
export const CELL_MIGRATIONS: readonly MigrationClass[] = [
  CellFoundation20261121000000,
  CellHardening20261121000700,
];

/** Applied once per tenant. */
export const TENANT_MIGRATIONS: readonly MigrationClass[] = [TenantFoundation20261121000000];
