import { Global, Module } from '@nestjs/common';
import { AuditController } from './audit.controller.js';
import { AuditLog } from './audit-log.js';
import { CloseLog } from './close-log.js';
import { ColdLog } from './cold-log.js';
import { EventRecorder } from './event-recorder.js';
import { ExportLog } from './export-log.js';
import { PeriodKeeper } from './period-keeper.js';
import { LogReader } from './log-reader.js';
import { PersonalParts } from './personal-parts.js';
import { MoveLog } from './move-log.js';
import { SearchLog } from './search-log.js';
import { VerifyLog } from './verify-log.js';

/** Global: every room's calls are recorded. */
@Global()
@Module({
  controllers: [AuditController],
  providers: [
    AuditLog,
    CloseLog,
    ColdLog,
    EventRecorder,
    ExportLog,
    LogReader,
    MoveLog,
    PeriodKeeper,
    PersonalParts,
    SearchLog,
    VerifyLog,
  ],
  exports: [AuditLog, CloseLog, ColdLog, EventRecorder, ExportLog, LogReader, MoveLog],
})
export class AuditModule {}
