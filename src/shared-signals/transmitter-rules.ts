import { ROLES, type Role } from '../auth/index.js';
import type { Actor } from '../platform/http/request-context.js';

export function isAbove(one: Role, other: Role): boolean {
  return ROLES.indexOf(one) < ROLES.indexOf(other);
}

export function roleOf(actor: Actor): Role {
  const role = ROLES.find((own) => actor.roles.includes(own));
  if (!role) throw new Error('Transmitters are set by people of the organisation.');
  return role;
}
