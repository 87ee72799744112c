import type { TenantId } from '../platform/database/index.js';
import type { Access, Grant } from '../platform/http/grants.js';
import type { Actor } from '../platform/http/request-context.js';
import {
  DEFAULT_ROLES,
  isInTheTree,
  isPermission,
  leastRole,
  permissionsOf,
  type DefaultRole,
  type PermissionName,
} from './permissions.js';
import { fits, type Bearer, type PolicyHead } from './policy-heads.js';
import { organisation, type Resource } from './resource.js';

/** All that somebody holds, whatever the moment: their role, their grants and those of their groups. */
export interface Standing {
  readonly kind: 'person' | 'client';
  readonly id: string;
  readonly role: DefaultRole;
  readonly access: Access;
}

/** Where something that was granted is; undefined: it is there no more. */
export type Locate = (grant: Grant) => Promise<Resource | undefined>;

/**
 * The first permission that somebody holds anywhere and whoever would decide over them does not hold there; undefined where
 * there is none. Beyond the roles, which are ordered. What forbids is not looked at: it may not tomorrow.
 */
export async function firstBeyond(
  holder: Standing,
  target: Standing,
  heads: readonly PolicyHead[],
  tenant: TenantId,
  locate: Locate,
): Promise<PermissionName | undefined> {
  for (const grant of target.access.grants) {
    const place = await locate(grant);
    const beyond = place && given(grant).find((permission) => !holds(holder, permission, place));
    if (beyond) return beyond;
  }
  for (const head of permitsTo(target, heads)) {
    if (!head.selective && fits(head, bearerOf(holder))) continue;
    const whole = organisation(tenant);
    const beyond = head.actions?.find((permission) => !holds(holder, permission, whole));
    if (beyond) return beyond;
  }
  return undefined;
}

/** The least default role that has all that somebody holds, be it in one place alone. */
export function rankOf(one: Standing, heads: readonly PolicyHead[]): DefaultRole {
  const held = [
    ...one.access.grants.flatMap(given),
    ...permitsTo(one, heads).flatMap(({ actions }) => actions ?? []),
  ];
  const ranks = held.map((permission) => DEFAULT_ROLES.indexOf(leastRole(permission) ?? 'Member'));
  return DEFAULT_ROLES[Math.max(DEFAULT_ROLES.indexOf(one.role), ...ranks)] ?? 'Owner';
}

function permitsTo(one: Standing, heads: readonly PolicyHead[]): PolicyHead[] {
  return heads.filter((head) => head.effect === 'permit' && fits(head, bearerOf(one)));
}

/** A forbid that may bind somebody, and that others leave out or say otherwise. */
export function liftedFor(
  { type, id, userId, roles, access }: Actor,
  before: readonly PolicyHead[],
  after: readonly PolicyHead[],
): PolicyHead | undefined {
  const types = type === 'client' ? ['Client'] : ['User', 'ApiKey'];
  const bearer = { types, id: userId ?? id, role: roles[0] ?? '', groups: access?.groups ?? [] };
  const kept = new Set(after.map(({ text }) => text));
  return before.find((head) => head.effect === 'forbid' && !kept.has(head.text) && fits(head, bearer));
}

/** Whoever has somebody's sign-in has what their keys may as well. */
function bearerOf({ kind, id, role, access }: Standing): Bearer {
  return { types: kind === 'client' ? ['Client'] : ['User', 'ApiKey'], id, role, groups: access.groups };
}

/** Below the organisation only what lives there counts. */
function given({ role, permissions, on }: Grant): PermissionName[] {
  const named = permissions?.filter(isPermission) ?? permissionsOf(defaultRole(role));
  return on.kind === 'organisation' ? named : named.filter(isInTheTree);
}

function defaultRole(name: string): DefaultRole {
  const role = DEFAULT_ROLES.find((one) => one === name);
  if (!role) throw new Error(`A grant of ${name} says nothing of what it gives.`);
  return role;
}

function holds({ role, access }: Standing, permission: PermissionName, place: Resource): boolean {
  if (permissionsOf(role).includes(permission)) return true;
  return access.grants.some((grant) => reaches(grant, place) && given(grant).includes(permission));
}

function reaches({ on: { kind, id } }: Grant, { project, agent }: Resource): boolean {
  if (kind === 'organisation') return true;
  return kind === 'project' ? project?.id === id : agent?.id === id;
}
