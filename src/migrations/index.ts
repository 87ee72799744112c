import type { MigrationClass } from '../platform/database/migration.js';
import { CellFoundation20261121000000 } from './cell-1-foundation.js';
import { CellCells20261121000200 } from './cell-2-cells.js';
import { CellMoves20261121000400 } from './cell-4-moves.js';
import { TenantFoundation20261121000000 } from './tenant-1-foundation.js';

/** Applied once per database, in the order of their timestamps. */
export const CELL_MIGRATIONS: readonly MigrationClass[] = [
  CellFoundation20261121000000,
  CellCells20261121000200,
  CellMoves20261121000400,
];

/** Applied once per tenant. */
export const TENANT_MIGRATIONS: readonly MigrationClass[] = [TenantFoundation20261121000000];
