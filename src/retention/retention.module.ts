import { Module } from '@nestjs/common';
import { ColdRound } from './cold-round.js';
import { ExpireLogs } from './expire-logs.js';
import { RetentionKeeper } from './retention-keeper.js';
import { RetentionPolicy } from './retention-policy.js';
import { StoreLog } from './store-log.js';

@Module({ providers: [ColdRound, ExpireLogs, RetentionKeeper, RetentionPolicy, StoreLog] })
export class RetentionModule {}
