import type { Actor } from '../platform/http/request-context.js';
import { GrantExceedsOwn } from './auth.errors.js';
import { ROLES, type Role } from './identity.entity.js';

/** Roles are ordered: each may all that those below it may. */
export function isAbove(one: Role, other: Role): boolean {
  return ROLES.indexOf(one) < ROLES.indexOf(other);
}

/**
 * The role of whoever sets what acts later by itself, and may do no more then. Who was granted the role of an Admin in the
 * whole organisation has all that it has. Of a lesser one that was granted that is not so: policies can permit more by a role.
 */
export function roleOf(actor: Actor): Role {
  const role = roleIfAny(actor);
  if (!role) throw new Error('Only who has a role in the organisation sets anything in it.');
  return role;
}

/** Nobody gives, takes from, or decides over a role above their own. @throws {GrantExceedsOwn} */
export function refuseAbove(actor: Actor, role: Role): void {
  const own = roleIfAny(actor);
  if (!own || isAbove(role, own)) throw new GrantExceedsOwn(`the role ${role}`);
}

function roleIfAny(actor: Actor): Role | undefined {
  const role = ROLES.find((one) => actor.roles.includes(one));
  return role && role !== 'Owner' && isGrantedAdmin(actor) ? 'Admin' : role;
}

function isGrantedAdmin({ access }: Actor): boolean {
  return access?.grants.some(({ role, on }) => role === 'Admin' && on.kind === 'organisation') ?? false;
}
