export { AuditModule } from './audit.module.js';
export { AuditLog } from './audit-log.js';
export {
  canonicalNotice,
  eventOfRequest,
  parseEvent,
  type AuditEvent,
  type EventBody,
  type Outcome,
} from './audit-event.js';
export { CloseLog, type LogProof } from './close-log.js';
export { ExportLog, type ExportedEvent } from './export-log.js';
export { EventRecorder } from './event-recorder.js';
export { MoveLog } from './move-log.js';
