import { Global, Module } from '@nestjs/common';
import { Residence } from './residence.js';
import { TenantRegistry } from './tenant-registry.js';

/** Global: which tenants there are concerns every room. */
@Global()
@Module({ providers: [Residence, TenantRegistry], exports: [Residence, TenantRegistry] })
export class TenancyModule {}
