import { Global, Module } from '@nestjs/common';
import { AuditController } from './audit.controller.js';
import { AuditLog } from './audit-log.js';
import { CloseLog } from './close-log.js';
import { ColdLog } from './cold-log.js';
import { EventRecorder } from './event-recorder.js';
import { ExportLog } from './export-log.js';
import { PeriodKeeper } from './period-keeper.js';
import { FindEvents } from './find-events.js';
import { IndexLog } from './index-log.js';
import { LogReader } from './log-reader.js';
import { Postings } from './postings.js';
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
    FindEvents,
    IndexLog,
    LogReader,
    MoveLog,
    PeriodKeeper,
    PersonalParts,
    Postings,
    SearchLog,
    VerifyLog,
  ],
  exports: [AuditLog, CloseLog, ColdLog, EventRecorder, ExportLog, IndexLog, LogReader, MoveLog, SearchLog],
})
export class AuditModule {}
