import { AuditLog } from '../../src/audit/audit-log.js';
import { ColdLog } from '../../src/audit/cold-log.js';
import { VerifyLog } from '../../src/audit/verify-log.js';
import type { Cells } from '../../src/platform/database/index.js';
import { CellObjects, TenantObjects } from '../../src/platform/objects/index.js';
import { MemoryObjects } from './memory-objects.js';

/** What verifies a log, in whichever cell it is; its cold part in one store for all cells. */
export function verifierOf(cells: Cells, log: AuditLog, objects = new MemoryObjects()): VerifyLog {
  return new VerifyLog(cells, log, coldLogOf(cells, objects));
}

export function coldLogOf(cells: Cells, objects: MemoryObjects): ColdLog {
  return new ColdLog(cells, new TenantObjects(storesOf(cells, objects)));
}

export function storesOf(cells: Cells, objects: MemoryObjects): CellObjects {
  return new CellObjects(new Map(cells.all().map(({ name }) => [name, objects])));
}
