import type * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import { ROLE_PARENTS } from './default-policies.js';
import { permissionsInGroup, type PermissionName } from './permissions.js';

/** Whom and what a policy is about, as far as that is to be seen without asking it. */
export interface PolicyHead {
  readonly name: string;
  /** All that it says but its annotations: another one of the same text says the same. */
  readonly text: string;
  readonly effect: cedar.Effect;
  readonly principal: cedar.PrincipalConstraint;
  /** The permissions that it is about; undefined: all. */
  readonly actions: readonly PermissionName[] | undefined;
  /** Whether its conditions look at who asks: of two whom the head fits it may mean one. */
  readonly selective: boolean;
  /** Every group that it names, in its head or in its conditions. */
  readonly groups: readonly string[];
}

/** Somebody as a head knows them: by which types they may come, as whom, in which role and groups. */
export interface Bearer {
  readonly types: readonly string[];
  readonly id: string;
  readonly role: string;
  readonly groups: readonly string[];
}

export function headOf(json: cedar.PolicyJson): PolicyHead {
  const { annotations, ...said } = json;
  return {
    name: annotations?.['id'] ?? '',
    text: JSON.stringify(said),
    effect: json.effect,
    principal: json.principal,
    actions: actionsOf(json),
    selective: mentions(json.conditions, (part) => part['Var'] === 'principal'),
    groups: [...new Set(groupsIn(json))],
  };
}

/** The permissions that a policy is about; undefined where it is about all. */
export function actionsOf({ action }: cedar.PolicyJson): PermissionName[] | undefined {
  if (action.op === 'All') return undefined;
  const named = 'entities' in action ? action.entities : 'entity' in action ? [action.entity] : [];
  return named.flatMap((entity) => permissionsInGroup(plain(entity).id));
}

/** Whether the head lets a policy apply to somebody, whatever its conditions say. */
export function fits({ principal }: PolicyHead, bearer: Bearer): boolean {
  switch (principal.op) {
    case 'All':
      return true;
    case '==':
      return 'entity' in principal && isSelf(plain(principal.entity), bearer);
    case 'in':
      return 'entity' in principal && isIn(plain(principal.entity), bearer);
    case 'is': {
      if (!bearer.types.includes(principal.entity_type)) return false;
      const within = principal.in;
      return !within || ('entity' in within && isIn(plain(within.entity), bearer));
    }
  }
}

function isSelf({ type, id }: cedar.TypeAndId, bearer: Bearer): boolean {
  return bearer.types.includes(type) && id === bearer.id;
}

function isIn(entity: cedar.TypeAndId, bearer: Bearer): boolean {
  if (entity.type === 'Group') return bearer.groups.includes(entity.id);
  if (entity.type === 'Role') return rolesFrom(bearer.role).includes(entity.id);
  return isSelf(entity, bearer);
}

function rolesFrom(role: string): string[] {
  const parent = ROLE_PARENTS[role];
  return parent === undefined ? [role] : [role, ...rolesFrom(parent)];
}

function plain(entity: cedar.EntityUidJson): cedar.TypeAndId {
  return '__entity' in entity ? entity.__entity : entity;
}

function mentions(part: unknown, test: (part: Record<string, unknown>) => boolean): boolean {
  if (Array.isArray(part)) return part.some((one) => mentions(one, test));
  if (typeof part !== 'object' || part === null) return false;
  return test(part as Record<string, unknown>) || Object.values(part).some((value) => mentions(value, test));
}

function groupsIn(part: unknown): string[] {
  if (Array.isArray(part)) return part.flatMap(groupsIn);
  if (typeof part !== 'object' || part === null) return [];
  const { type, id } = part as { type?: unknown; id?: unknown };
  const own = type === 'Group' && typeof id === 'string' ? [id] : [];
  return [...own, ...Object.values(part).flatMap(groupsIn)];
}
