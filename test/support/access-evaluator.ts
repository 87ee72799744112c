import type { Circumstances } from '../../src/access/entities.js';
import type { Condition } from '../../src/access/condition.js';
import { DEFAULT_ROLES, PERMISSIONS, type PermissionName } from '../../src/access/permissions.js';
import type { Resource } from '../../src/access/resource.js';
import type { Actor } from '../../src/platform/http/request-context.js';
import type { DrawnPolicy, Saying } from './access-worlds.js';

export interface Asked {
  readonly actor: Actor;
  readonly permission: PermissionName;
  readonly resource: Resource;
  readonly circumstances: Circumstances;
}

/**
 * Who may do what, written a second time from what the documentation says, without Cedar and without anything of
 * `src/access` but its catalogue: what both agree on is no slip of one of them.
 */
export function mayDo(asked: Asked, policies: readonly DrawnPolicy[]): boolean {
  const { actor, permission, resource } = asked;
  const { grantee, scope } = PERMISSIONS[permission];
  // The installation is the operator's alone, who has no organisation and is bound by the policies of none.
  if (resource.tenant === undefined || actor.type === 'operator')
    return resource.tenant === undefined && actor.type === 'operator' && grantee === 'operator';
  if (actor.tenant !== resource.tenant) return false;
  // What provides people, and what tells of them, does that and nothing else; nobody else does it, whatever was granted.
  for (const type of ['directory', 'transmitter'] as const)
    if ((actor.type === type) !== (grantee === type)) return false;
  if (!isWithinBounds(actor, permission, scope)) return false;
  if (actor.projects && !actor.projects.includes(resource.project?.id ?? '')) return false;
  const applying = policies.filter((policy) => applies(policy, asked));
  if (applying.some(({ effect }) => effect === 'forbid')) return false;
  return (
    grantee === actor.type ||
    actor.roles.some((role) => roleHas(role, permission)) ||
    (actor.access?.grants ?? []).some(
      ({ role, permissions, on }) =>
        (permissions ? permissions.includes(permission) : roleHas(role, permission)) &&
        (on.kind === 'organisation'
          ? on.id === resource.tenant
          : on.kind === 'project'
            ? on.id === resource.project?.id
            : on.id === resource.agent?.id),
    ) ||
    applying.some(({ effect }) => effect === 'permit')
  );
}

/** What a credential is good for, whoever has it. */
function isWithinBounds({ type, scopes, writes }: Actor, permission: PermissionName, scope: string): boolean {
  if (type === 'api_key' || type === 'client') return coveredByScopes(scopes ?? [], scope);
  if (type === 'directory') return scopes === undefined || coveredByScopes(scopes, scope);
  if (type !== 'support' || scope.endsWith(':read')) return true;
  return permission === 'impersonation:leave' || (writes === true && /^(agent|run):/.test(permission));
}

function roleHas(role: string, permission: PermissionName): boolean {
  const rank = DEFAULT_ROLES.findIndex((one) => one === role);
  const needed = DEFAULT_ROLES.findIndex((one) => one.toLowerCase() === PERMISSIONS[permission].grantee);
  return needed >= 0 && rank >= needed;
}

function coveredByScopes(scopes: readonly string[], wanted: string): boolean {
  const levels = ['read', 'write', 'admin'];
  const [resource = '', level = ''] = wanted.split(':');
  return scopes.some((scope) => {
    const [on = '', upTo = ''] = scope.split(':');
    return (on === '*' || on === resource) && levels.indexOf(upTo) >= levels.indexOf(level);
  });
}

function applies({ who, actions, on, when }: DrawnPolicy, asked: Asked): boolean {
  const { actor, permission, resource } = asked;
  const meant =
    who === 'anybody' ||
    ('user' in who
      ? who.user === (actor.userId ?? actor.id)
      : 'group' in who
        ? (actor.access?.groups ?? []).includes(who.group)
        : actor.roles.some((role) => rankOf(role) >= rankOf(who.role)));
  const about =
    on === 'anything' ||
    ('project' in on ? on.project === resource.project?.id : on.agent === resource.agent?.id);
  return (
    meant &&
    about &&
    (actions === 'any' || actions.includes(permission)) &&
    (when === undefined || holds(when, asked))
  );
}

function rankOf(role: string): number {
  return DEFAULT_ROLES.findIndex((one) => one === role);
}

function holds(saying: Saying, asked: Asked): boolean {
  const { actor, resource, circumstances } = asked;
  const labels = resource.agent ?? resource.project;
  const date = new Date(circumstances.at);
  switch (saying.says) {
    case 'environment':
      return labels?.environment === saying.is;
    case 'tagged':
      return labels?.tags.includes(saying.as) ?? false;
    case 'from':
      return circumstances.ip.startsWith(saying.network === '10.0.0.0/8' ? '10.' : '192.0.2.');
    case 'before':
      return date.getUTCHours() < saying.hour;
    case 'workday':
      return date.getUTCDay() >= 1 && date.getUTCDay() <= 5;
    case 'proved':
      return actor.mfaAt !== undefined && circumstances.at - actor.mfaAt <= saying.minutes * 60_000;
    case 'not':
      return !holds(saying.what, asked);
    case 'both':
      return holds(saying.one, asked) && holds(saying.other, asked);
    case 'either':
      return holds(saying.one, asked) || holds(saying.other, asked);
  }
}

/** Whether a row is one of those that a list's condition names. */
export function isReadable(condition: Condition, { project, agent }: Resource): boolean {
  if (typeof condition === 'boolean') return condition;
  const row = { project, agent, key: '' } as Resource;
  const labels = agent ?? project;
  if ('all' in condition) return condition.all.every((one) => isReadable(one, row));
  if ('any' in condition) return condition.any.some((one) => isReadable(one, row));
  if ('not' in condition) return !isReadable(condition.not, row);
  if ('within' in condition)
    return condition.within.id === (condition.within.type === 'Project' ? project?.id : agent?.id);
  if ('is' in condition)
    return condition.is.id === (condition.is.type === 'Project' ? project?.id : agent?.id);
  if ('environment' in condition) {
    const { environment } = condition;
    const own = labels?.environment ?? null;
    if (environment === 'any') return own !== null;
    if ('like' in environment) throw new Error('None of the drawn policies has a pattern.');
    return own !== null && environment.oneOf.includes(own);
  }
  const tags = labels?.tags ?? [];
  if (condition.tags === 'none') return tags.length === 0;
  return 'all' in condition.tags
    ? condition.tags.all.every((tag) => tags.includes(tag))
    : condition.tags.any.some((tag) => tags.includes(tag));
}
