export { fitBreakGlassOwners, isLastBreakGlassOwner } from './break-glass-owners.js';
export { domainOf } from './domain-name.js';
export { DomainRegistry } from './domain-registry.js';
export { Domains } from './domains.js';
export { DomainDto, UpdateDomainDto } from './domains.dto.js';
export { SsoNotReady } from './domains.errors.js';
export { DomainsModule } from './domains.module.js';
export { SsoEnforcement } from './sso-enforcement.js';
