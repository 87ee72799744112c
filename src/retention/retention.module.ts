import { Module } from '@nestjs/common';
import { ColdRound } from './cold-round.js';
import { ExpireLogs } from './expire-logs.js';
import { ExpireRange } from './expire-range.js';
import { LegalHolds } from './legal-holds.js';
import { LoadRestore } from './load-restore.js';
import { Restores } from './restores.js';
import { RestoresController } from './restores.controller.js';
import { RetentionController } from './retention.controller.js';
import { RetentionKeeper } from './retention-keeper.js';
import { RetentionPolicy } from './retention-policy.js';
import { StoreLog } from './store-log.js';
import { TenantRetention } from './tenant-retention.js';

@Module({
  controllers: [RetentionController, RestoresController],
  providers: [
    ColdRound,
    ExpireLogs,
    ExpireRange,
    LegalHolds,
    LoadRestore,
    Restores,
    RetentionKeeper,
    RetentionPolicy,
    StoreLog,
    TenantRetention,
  ],
  exports: [LegalHolds, RetentionKeeper],
})
export class RetentionModule {}
