export { AuditModule } from './audit.module.js';
export { AuditLog } from './audit-log.js';
export { eventOfRequest, type AuditEvent, type Outcome } from './audit-event.js';
export { EventRecorder } from './event-recorder.js';
export { MoveLog } from './move-log.js';
