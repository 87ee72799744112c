import { Module } from '@nestjs/common';
import { DomainRegistry } from './domain-registry.js';
import { DomainsController } from './domains.controller.js';
import { Domains } from './domains.js';
import { SsoEnforcement } from './sso-enforcement.js';

@Module({
  controllers: [DomainsController],
  providers: [DomainRegistry, Domains, SsoEnforcement],
  exports: [DomainRegistry, Domains, SsoEnforcement],
})
export class DomainsModule {}
