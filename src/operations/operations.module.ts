import { Global, Module } from '@nestjs/common';
import { OperationLeases } from './operation-lease.js';
import { OperationRunner } from './operation-runner.js';
import { Operations } from './operations.js';
import { ObservedOperations } from './observed-operations.js';
import { WatchUntaken } from './watch-untaken.js';

/** Global: rooms register what their operations consist of. */
@Global()
@Module({
  providers: [OperationLeases, OperationRunner, Operations, ObservedOperations, WatchUntaken],
  exports: [OperationRunner, Operations, ObservedOperations],
})
export class OperationsModule {}
