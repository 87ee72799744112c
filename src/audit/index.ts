export { AuditModule } from './audit.module.js';
export { appendWithin } from './append-within.js';
export { AuditLog } from './audit-log.js';
export {
  canonicalNotice,
  eventOfRequest,
  parseEvent,
  type AuditEvent,
  type EventBody,
  type Outcome,
} from './audit-event.js';
export { AuditEventDto, EventFilterDto } from './audit.dto.js';
export { CloseLog, type LogProof } from './close-log.js';
export { ColdLog, coldKey, ColdObjectAltered, type ColdRange, type LogBeginning } from './cold-log.js';
export { ExportLog, type ExportedEvent } from './export-log.js';
export { EventRecorder } from './event-recorder.js';
export { IndexLog, type FollowedEvent } from './index-log.js';
export { LogReader } from './log-reader.js';
export type { CheckedRow } from './event-row.js';
export { VerifyWalk, type Finding } from './verify-walk.js';
export { hasReadableParts, readEvent } from './read-event.js';
export { MoveLog } from './move-log.js';
export { requireTimes, SearchLog } from './search-log.js';
export { eventLine, packed, unpacked, type StoredEvent } from './stored-event.js';
