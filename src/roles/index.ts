export { GroupGrants } from './group-grants.js';
export { RequireHeld } from './require-held.js';
export { GrantEntity, RoleEntity } from './role.entity.js';
export { RolesModule } from './roles.module.js';
