import { Global, Module } from '@nestjs/common';
import { AuditController } from './audit.controller.js';
import { AuditLog } from './audit-log.js';
import { EventRecorder } from './event-recorder.js';
import { MoveLog } from './move-log.js';
import { SearchLog } from './search-log.js';
import { VerifyLog } from './verify-log.js';

/** Global: every room's calls are recorded. */
@Global()
@Module({
  controllers: [AuditController],
  providers: [AuditLog, EventRecorder, MoveLog, SearchLog, VerifyLog],
  exports: [AuditLog, EventRecorder, MoveLog],
})
export class AuditModule {}
