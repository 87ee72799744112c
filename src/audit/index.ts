export { AuditModule } from './audit.module.js';
export { AuditLog } from './audit-log.js';
export { canonicalNotice, eventOfRequest, type AuditEvent, type Outcome } from './audit-event.js';
export { CloseLog, type LogProof } from './close-log.js';
export { ExportLog } from './export-log.js';
export { EventRecorder } from './event-recorder.js';
export { MoveLog } from './move-log.js';
