export { Access } from './access.js';
export { accessChanged, EVERYBODY } from './access-changed.js';
export { AccessModule } from './access.module.js';
export { AuthorizationGuard } from './authorization.guard.js';
export { Authorizer, KEPT_BY_OWNERS, type Decision, type Question } from './authorizer.js';
export {
  compilePolicies,
  parsePolicies,
  policyErrors,
  type ParsedPolicy,
  type PolicyError,
} from './compile-policies.js';
export { requireFilterable, Untranslatable } from './condition.js';
export { actionsOf, type PolicyHead } from './policy-heads.js';
export { readableRows } from './readable-rows.js';
export {
  DEFAULT_ROLES,
  grantablePermissions,
  includedScopes,
  isInTheTree,
  isPermission,
  leastRole,
  PERMISSION_NAMES,
  permissionsInGroup,
  permissionsOf,
  SCOPES,
  type DefaultRole,
  type PermissionName,
} from './permissions.js';
export { OrganisationPolicies } from './organisation-policies.js';
export { NO_POLICIES, policySet, type PolicyVersion } from './policy-sets.js';
export { nameOf, organisation, type Resource } from './resource.js';
export { ResourceTree } from './resource-tree.js';
export { firstBeyond, liftedFor, rankOf, type Standing } from './standing.js';
