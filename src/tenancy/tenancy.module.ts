import { Global, Module } from '@nestjs/common';
import { OpenStreams } from '../platform/http/event-stream.js';
import { EnforceQuotas } from './enforce-quotas.js';
import { EndStreams } from './end-streams.js';
import { Residence } from './residence.js';
import { TenantRegistry } from './tenant-registry.js';

/** Global: which tenants there are concerns every room. */
@Global()
@Module({
  providers: [TenantRegistry, EnforceQuotas, OpenStreams, EndStreams, Residence],
  exports: [TenantRegistry, EnforceQuotas, OpenStreams, Residence],
})
export class TenancyModule {}
