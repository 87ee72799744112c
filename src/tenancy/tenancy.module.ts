import { Global, Module } from '@nestjs/common';
import { TenantRegistry } from './tenant-registry.js';

/** Global: which tenants there are concerns every room. */
@Global()
@Module({ providers: [TenantRegistry], exports: [TenantRegistry] })
export class TenancyModule {}
