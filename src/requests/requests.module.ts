import { Global, Module } from '@nestjs/common';
import { TenantTransactions } from '../platform/database/tenant-transactions.js';
import { Idempotency } from './idempotency.js';
import { UnitOfWork } from './unit-of-work.js';

/** Global: every room that writes does so in a unit of work. */
@Global()
@Module({ providers: [TenantTransactions, Idempotency, UnitOfWork], exports: [Idempotency, UnitOfWork] })
export class RequestsModule {}
