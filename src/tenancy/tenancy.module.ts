import { Global, Module } from '@nestjs/common';
import { OpenStreams } from '../platform/http/event-stream.js';
import { TenantRegistry } from './tenant-registry.js';

/** Global: which tenants there are concerns every room. */
@Global()
@Module({ providers: [TenantRegistry, OpenStreams], exports: [TenantRegistry, OpenStreams] })
export class TenancyModule {}
