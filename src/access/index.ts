export { AccessModule } from './access.module.js';
export { AuthorizationGuard } from './authorization.guard.js';
export { Authorizer, type Decision } from './authorizer.js';
export { includedScopes, isPermission, SCOPES } from './permissions.js';
