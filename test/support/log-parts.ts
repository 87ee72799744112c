import { AuditLog } from '../../src/audit/audit-log.js';
import { ColdLog } from '../../src/audit/cold-log.js';
import { FindEvents } from '../../src/audit/find-events.js';
import { IndexLog } from '../../src/audit/index-log.js';
import { LogReader } from '../../src/audit/log-reader.js';
import type { PersonalParts } from '../../src/audit/personal-parts.js';
import { Postings } from '../../src/audit/postings.js';
import { SearchLog } from '../../src/audit/search-log.js';
import { VerifyLog } from '../../src/audit/verify-log.js';
import type { Cells } from '../../src/platform/database/index.js';
import { CellObjects, TenantObjects } from '../../src/platform/objects/index.js';
import { MemoryObjects } from './memory-objects.js';

/** What verifies a log, in whichever cell it is; its cold part in one store for all cells. */
export function verifierOf(cells: Cells, log: AuditLog, objects = new MemoryObjects()): VerifyLog {
  return new VerifyLog(cells, log, coldLogOf(cells, objects));
}

/** What finds events of logs, in whichever cell they are. Nothing is opened that is sealed in them. */
export function searchOf(
  cells: Cells,
  log: AuditLog,
  cold = coldLogOf(cells, new MemoryObjects()),
): SearchLog {
  const personal = { of: () => Promise.resolve(undefined) } as unknown as PersonalParts;
  return new SearchLog(cells, log, personal, cold, new FindEvents(cells, new Postings(cells)));
}

/** What indexes logs, as one process has it. */
export function indexerOf(cells: Cells, cold = coldLogOf(cells, new MemoryObjects())): IndexLog {
  return new IndexLog(cells, new LogReader(cells, cold), cold, new Postings(cells));
}

export function coldLogOf(cells: Cells, objects: MemoryObjects): ColdLog {
  return new ColdLog(cells, new TenantObjects(storesOf(cells, objects)));
}

export function storesOf(cells: Cells, objects: MemoryObjects): CellObjects {
  return new CellObjects(new Map(cells.all().map(({ name }) => [name, objects])));
}
