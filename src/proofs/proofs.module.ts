import { Module } from '@nestjs/common';
import { CheckpointKeys } from './checkpoint-keys.js';
import { CheckpointKeysController } from './checkpoint-keys.controller.js';
import { Checkpointer } from './checkpointer.js';
import { ExportLog } from './export-log.js';
import { ProofsController } from './proofs.controller.js';
import { ProveLog } from './prove-log.js';

@Module({
  controllers: [ProofsController, CheckpointKeysController],
  providers: [CheckpointKeys, Checkpointer, ExportLog, ProveLog],
})
export class ProofsModule {}
