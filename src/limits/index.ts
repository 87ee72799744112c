export { AddressLimit } from './address-limit.js';
export { CountryLookup } from './caller-country.js';
export { LimitsModule } from './limits.module.js';
export { NetworkAdmission } from './network-admission.js';
export { addressOf, networkOf, siteOf } from './network-of.js';
export { NetworkRulesGuard } from './network-rules.guard.js';
export { SignInLimitGuard } from './sign-in-limit.guard.js';
export { TenantLimitGuard } from './tenant-limit.guard.js';
export { TokenBuckets } from './token-buckets.js';
