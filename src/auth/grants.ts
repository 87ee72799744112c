import type { Actor } from '../platform/http/request-context.js';
import { GrantExceedsOwn } from './auth.errors.js';
import { ROLES, type Role } from './identity.entity.js';

/** Roles are ordered: nobody gives, takes from, or decides over a role above their own. */
export function refuseAbove(actor: Actor, role: Role): void {
  const own = Math.min(...actor.roles.map((held) => ROLES.indexOf(held as Role)).filter((rank) => rank >= 0));
  if (ROLES.indexOf(role) < own) throw new GrantExceedsOwn(`the role ${role}`);
}
