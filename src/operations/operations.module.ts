import { Global, Module } from '@nestjs/common';
import { OperationLeases } from './operation-lease.js';
import { OperationRunner } from './operation-runner.js';
import { Operations } from './operations.js';

/** Global: rooms register what their operations consist of. */
@Global()
@Module({ providers: [OperationLeases, OperationRunner, Operations], exports: [OperationRunner, Operations] })
export class OperationsModule {}
