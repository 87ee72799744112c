export { SCIM_BODIES } from './scim-bodies.js';
export { ScimModule } from './scim.module.js';
export { ScimEmailEntity, ScimUserEntity } from './scim-user.entity.js';
