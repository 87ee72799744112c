export { ImpersonationEntity } from './impersonation.entity.js';
export { ImpersonationModule } from './impersonation.module.js';
