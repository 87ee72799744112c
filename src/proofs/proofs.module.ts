import { Module } from '@nestjs/common';
import { CheckpointKeys } from './checkpoint-keys.js';
import { CheckpointKeysController } from './checkpoint-keys.controller.js';
import { Checkpointer } from './checkpointer.js';
import { InstallationLogController } from './installation-log.controller.js';
import { ProofsController } from './proofs.controller.js';
import { ProveLog } from './prove-log.js';
import { VerifiableExport } from './verifiable-export.js';

@Module({
  controllers: [ProofsController, InstallationLogController, CheckpointKeysController],
  providers: [CheckpointKeys, Checkpointer, ProveLog, VerifiableExport],
})
export class ProofsModule {}
