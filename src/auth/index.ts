export { ApiKeys } from './api-keys.js';
export { AuthenticationGuard } from './authentication.guard.js';
export { AuthModule } from './auth.module.js';
export { ApiKeyEntity, UserEntity } from './identity.entity.js';
export { hashPassword } from './password.js';
export { StepUpGuard } from './step-up.guard.js';
export { Users } from './users.js';
