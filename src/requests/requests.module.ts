import { Global, Module } from '@nestjs/common';
import { TenantTransactions } from '../platform/database/tenant-transactions.js';
import { RegistryTransactions } from '../platform/database/registry-transactions.js';
import { RunningRequests } from '../platform/http/running-requests.js';
import { Idempotency } from './idempotency.js';
import { RegistryWork } from './registry-work.js';
import { UnitOfWork } from './unit-of-work.js';

/** Global: every room that writes does so in a unit of work. */
@Global()
@Module({
  providers: [
    TenantTransactions,
    RegistryTransactions,
    Idempotency,
    UnitOfWork,
    RegistryWork,
    RunningRequests,
  ],
  exports: [Idempotency, UnitOfWork, RegistryWork, RunningRequests],
})
export class RequestsModule {}
