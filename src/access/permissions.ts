/**
 * The least role that a permission is granted to by default; `directory` is no role but those that provide people, and
 * `transmitter` those that tell of them; `operator` stands outside every organisation.
 */
export type Grantee =
  'member' | 'viewer' | 'developer' | 'admin' | 'owner' | 'directory' | 'transmitter' | 'operator';
export type ScopeLevel = 'read' | 'write' | 'admin';

interface Permission {
  readonly grantee: Grantee;
  /** What an API key needs to use it. */
  readonly scope: `${string}:${ScopeLevel}`;
}

/** Every permission of the API. A route that names another one keeps the application from starting. */
export const PERMISSIONS = {
  'profile:read': { grantee: 'member', scope: 'profile:read' },
  'session:read': { grantee: 'member', scope: 'profile:read' },
  'profile:update': { grantee: 'member', scope: 'profile:write' },
  'session:end': { grantee: 'member', scope: 'profile:write' },
  'session:step_up': { grantee: 'member', scope: 'profile:write' },
  'second_factor:read': { grantee: 'member', scope: 'profile:read' },
  'second_factor:manage': { grantee: 'member', scope: 'profile:write' },
  'password:change': { grantee: 'member', scope: 'profile:write' },
  'auth_settings:read': { grantee: 'admin', scope: 'auth_settings:read' },
  'auth_settings:update': { grantee: 'admin', scope: 'auth_settings:admin' },
  'user:read': { grantee: 'admin', scope: 'user:read' },
  'user:create': { grantee: 'admin', scope: 'user:admin' },
  'user:update': { grantee: 'admin', scope: 'user:admin' },
  'user:erase': { grantee: 'admin', scope: 'user:admin' },
  'group:read': { grantee: 'admin', scope: 'group:read' },
  'group:manage': { grantee: 'admin', scope: 'group:admin' },
  'access:read': { grantee: 'member', scope: 'profile:read' },
  'role:read': { grantee: 'admin', scope: 'role:read' },
  'role:manage': { grantee: 'admin', scope: 'role:admin' },
  'grant:read': { grantee: 'admin', scope: 'grant:read' },
  'grant:manage': { grantee: 'admin', scope: 'grant:admin' },
  'access_policy:read': { grantee: 'admin', scope: 'access_policy:read' },
  'access_policy:manage': { grantee: 'admin', scope: 'access_policy:admin' },
  'access_policy:activate': { grantee: 'admin', scope: 'access_policy:admin' },
  'access_policy:roll_back': { grantee: 'admin', scope: 'access_policy:admin' },
  'access:explain': { grantee: 'member', scope: 'profile:read' },
  'impersonation:read': { grantee: 'admin', scope: 'impersonation:read' },
  'impersonation:end': { grantee: 'admin', scope: 'impersonation:admin' },
  'impersonation:approve': { grantee: 'owner', scope: 'impersonation:admin' },
  'impersonation:leave': { grantee: 'member', scope: 'profile:write' },
  'impersonation:request': { grantee: 'operator', scope: 'tenant:admin' },
  'impersonation:withdraw': { grantee: 'operator', scope: 'tenant:admin' },
  'scim:read': { grantee: 'directory', scope: 'scim:read' },
  'scim:write': { grantee: 'directory', scope: 'scim:write' },
  'scim_directory:read': { grantee: 'admin', scope: 'scim:read' },
  'scim_directory:manage': { grantee: 'admin', scope: 'scim:admin' },
  'scim_request:replay': { grantee: 'admin', scope: 'scim:admin' },
  'scim_request:read': { grantee: 'admin', scope: 'scim:admin' },
  'signal:deliver': { grantee: 'transmitter', scope: 'signal:write' },
  'signal_transmitter:read': { grantee: 'admin', scope: 'sso:read' },
  'signal_transmitter:manage': { grantee: 'admin', scope: 'sso:admin' },
  'api_key:read': { grantee: 'developer', scope: 'api_key:read' },
  'api_key:create': { grantee: 'developer', scope: 'api_key:admin' },
  'api_key:revoke': { grantee: 'developer', scope: 'api_key:admin' },
  'oauth_client:read': { grantee: 'admin', scope: 'oauth_client:read' },
  'oauth_client:manage': { grantee: 'admin', scope: 'oauth_client:admin' },
  'project:read': { grantee: 'viewer', scope: 'project:read' },
  'project:create': { grantee: 'developer', scope: 'project:write' },
  'label:update': { grantee: 'admin', scope: 'label:admin' },
  'agent:read': { grantee: 'viewer', scope: 'agent:read' },
  'agent:create': { grantee: 'developer', scope: 'agent:write' },
  'agent:update': { grantee: 'developer', scope: 'agent:write' },
  'agent:publish': { grantee: 'developer', scope: 'agent:write' },
  'agent:delete': { grantee: 'developer', scope: 'agent:admin' },
  'run:read': { grantee: 'viewer', scope: 'run:read' },
  'run:create': { grantee: 'developer', scope: 'run:write' },
  'run:cancel': { grantee: 'developer', scope: 'run:write' },
  'network_rules:read': { grantee: 'admin', scope: 'network_rules:read' },
  'network_rules:update': { grantee: 'admin', scope: 'network_rules:admin' },
  'audit:read': { grantee: 'admin', scope: 'audit:read' },
  'key:read': { grantee: 'admin', scope: 'key:read' },
  'key:update': { grantee: 'admin', scope: 'key:admin' },
  'key:rotate': { grantee: 'admin', scope: 'key:admin' },
  'key:attach': { grantee: 'admin', scope: 'key:admin' },
  'key:destroy': { grantee: 'admin', scope: 'key:admin' },
  'audit_destination:read': { grantee: 'admin', scope: 'audit:read' },
  'audit_destination:manage': { grantee: 'admin', scope: 'audit:admin' },
  'alert:read': { grantee: 'admin', scope: 'alert:read' },
  'alert:manage': { grantee: 'admin', scope: 'alert:write' },
  'alert_channel:read': { grantee: 'admin', scope: 'alert:read' },
  'alert_channel:manage': { grantee: 'admin', scope: 'alert:admin' },
  'detection_rule:read': { grantee: 'admin', scope: 'alert:read' },
  'detection_rule:update': { grantee: 'admin', scope: 'alert:admin' },
  'domain:read': { grantee: 'admin', scope: 'sso:read' },
  'domain:manage': { grantee: 'admin', scope: 'sso:admin' },
  'sso:read': { grantee: 'admin', scope: 'sso:read' },
  'sso:manage': { grantee: 'admin', scope: 'sso:admin' },
  'break_glass:update': { grantee: 'owner', scope: 'sso:admin' },
  'organisation:export': { grantee: 'owner', scope: 'organisation:admin' },
  'audit:export': { grantee: 'admin', scope: 'audit:admin' },
  'audit_retention:update': { grantee: 'owner', scope: 'audit:admin' },
  'audit_restore:create': { grantee: 'admin', scope: 'audit:admin' },
  'request_bodies:update': { grantee: 'owner', scope: 'audit:admin' },
  'legal_hold:update': { grantee: 'owner', scope: 'audit:admin' },
  'signing_key:rotate': { grantee: 'operator', scope: 'tenant:admin' },
  'checkpoint_key:rotate': { grantee: 'operator', scope: 'tenant:admin' },
  'installation_log:read': { grantee: 'operator', scope: 'tenant:read' },
  'installation_log:export': { grantee: 'operator', scope: 'tenant:admin' },
  'installation_alert:read': { grantee: 'operator', scope: 'tenant:read' },
  'installation_alert:manage': { grantee: 'operator', scope: 'tenant:admin' },
  'metrics:read': { grantee: 'operator', scope: 'tenant:read' },
  'tenant:create': { grantee: 'operator', scope: 'tenant:admin' },
  'tenant:move': { grantee: 'operator', scope: 'tenant:admin' },
  'tenant:read': { grantee: 'operator', scope: 'tenant:read' },
  'network_rules:clear': { grantee: 'operator', scope: 'tenant:admin' },
  'rate_limits:read': { grantee: 'operator', scope: 'tenant:read' },
  'rate_limits:update': { grantee: 'operator', scope: 'tenant:admin' },
  'tenant:update': { grantee: 'operator', scope: 'tenant:write' },
  'tenant:suspend': { grantee: 'operator', scope: 'tenant:admin' },
  'tenant:delete': { grantee: 'operator', scope: 'tenant:admin' },
  'tenant:hold': { grantee: 'operator', scope: 'tenant:admin' },
  'tenant:export': { grantee: 'operator', scope: 'tenant:admin' },
} as const satisfies Record<string, Permission>;

export type PermissionName = keyof typeof PERMISSIONS;

/** From the least to the most; each includes those before it. */
export const DEFAULT_ROLES = ['Member', 'Viewer', 'Developer', 'Admin', 'Owner'] as const;
export type DefaultRole = (typeof DEFAULT_ROLES)[number];

/** What these permissions are about lives in the tree below the organisation; of all others the organisation is the resource. */
const IN_THE_TREE = new Set(['project', 'agent', 'run', 'label', 'grant']);

export function isInTheTree(permission: PermissionName): boolean {
  return IN_THE_TREE.has(permission.split(':')[0] ?? '');
}

/** The least default role that has a permission; undefined where that is the operator's. */
export function leastRole(permission: PermissionName): DefaultRole | undefined {
  const { grantee } = PERMISSIONS[permission];
  return DEFAULT_ROLES.find((role) => role.toLowerCase() === grantee);
}

/** Everything that a default role has. */
export function permissionsOf(role: DefaultRole): PermissionName[] {
  const rank = DEFAULT_ROLES.indexOf(role);
  return PERMISSION_NAMES.filter((name) => {
    const least = leastRole(name);
    return least !== undefined && DEFAULT_ROLES.indexOf(least) <= rank;
  });
}

/** What an action of a policy stands for: a permission is itself, a group is those that its role adds to the ones below. */
export function permissionsInGroup(action: string): PermissionName[] {
  if (isPermission(action)) return [action];
  return PERMISSION_NAMES.filter((name) => PERMISSIONS[name].grantee === action);
}

/** What a role of an organisation's own may have: nothing that an Owner alone has, or the operator. */
export function grantablePermissions(): PermissionName[] {
  return permissionsOf('Admin');
}

/** By which somebody changes what others may do, or what is known of it: an Admin's or Owner's, and more than reading. */
export function isAdministrative(permission: string): boolean {
  if (!isPermission(permission)) return false;
  const least = leastRole(permission);
  return (least === 'Admin' || least === 'Owner') && PERMISSIONS[permission].scope.endsWith(':admin');
}

export const PERMISSION_NAMES = Object.keys(PERMISSIONS) as readonly PermissionName[];

export function isPermission(name: string): name is PermissionName {
  return Object.hasOwn(PERMISSIONS, name);
}

const LEVELS: readonly ScopeLevel[] = ['read', 'write', 'admin'];
const RESOURCES = [
  ...new Set(Object.values(PERMISSIONS).map(({ scope }) => scope.split(':')[0] ?? '')),
].filter((resource) => resource !== 'tenant');

/** What may stand in an API key's scopes: `agent:read`, `run:write`, and `*:admin` for all resources. */
export const SCOPES: readonly string[] = ['*', ...RESOURCES].flatMap((resource) =>
  LEVELS.map((level) => `${resource}:${level}`),
);

/** Whether the given scopes include one, without naming all that they include. */
export function coversScope(scopes: readonly string[], wanted: string): boolean {
  const [resource = '', level = ''] = wanted.split(':');
  const needed = LEVELS.indexOf(level as ScopeLevel);
  return scopes.some((scope) => {
    const [on = '', upTo = ''] = scope.split(':');
    const every = on === '*' && RESOURCES.includes(resource);
    return (every || on === resource) && LEVELS.indexOf(upTo as ScopeLevel) >= needed;
  });
}

/** Whether a key with these scopes administers, for somebody who may. */
export function areAdministrative(scopes: readonly string[]): boolean {
  return PERMISSION_NAMES.some(
    (name) => isAdministrative(name) && coversScope(scopes, PERMISSIONS[name].scope),
  );
}

/** Every scope that the given ones include: admin includes write, write includes read, `*` every resource. */
export function includedScopes(scopes: readonly string[]): string[] {
  const included = new Set<string>();
  for (const scope of scopes) {
    const [resource = '', level = ''] = scope.split(':');
    const upTo = LEVELS.indexOf(level as ScopeLevel);
    for (const name of resource === '*' ? RESOURCES : [resource]) {
      for (const lower of LEVELS.slice(0, upTo + 1)) included.add(`${name}:${lower}`);
    }
  }
  return [...included];
}
