import { Global, Module } from '@nestjs/common';
import { AddressLimit } from './address-limit.js';
import { CallerCountry } from './caller-country.js';
import { NetworkAdmission } from './network-admission.js';
import { LockedOutController, NetworkRulesController } from './network-rules.controller.js';
import { Policies } from './policies.js';
import { RateLimiter } from './rate-limiter.js';
import { RateLimitsController } from './rate-limits.controller.js';
import { Refusals } from './refusals.js';
import { TenantNetworkRules } from './tenant-network-rules.js';
import { TenantRateLimits } from './tenant-rate-limits.js';

/** Global: every request passes its guards. */
@Global()
@Module({
  controllers: [RateLimitsController, NetworkRulesController, LockedOutController],
  providers: [
    AddressLimit,
    CallerCountry,
    NetworkAdmission,
    Policies,
    RateLimiter,
    Refusals,
    TenantNetworkRules,
    TenantRateLimits,
  ],
  exports: [AddressLimit, CallerCountry, NetworkAdmission, Policies, RateLimiter],
})
export class LimitsModule {}
