import {
  isInTheTree,
  PERMISSION_NAMES,
  PERMISSIONS,
  type Grantee,
  type PermissionName,
} from './permissions.js';

/**
 * The policies that hold in every organisation. Nothing is allowed that no `permit` allows; a `forbid` beats every
 * `permit`. A decision reports a policy by its name here: one that comes to mean something else gets another name.
 */
export const DEFAULT_POLICIES: Readonly<Record<string, string>> = {
  'member-keeps-profile': permit('Member'),
  'viewer-reads': permit('Viewer'),
  'developer-builds': permit('Developer'),
  'admin-administers': permit('Admin'),
  'owner-owns': permit('Owner'),
  'directory-provides': `permit (principal is Directory, action in Action::"directory", resource is Organisation);`,
  'directory-provides-only': `forbid (principal is Directory, action, resource)
    unless { action in Action::"directory" };`,
  'directory-within-scopes': `forbid (principal is Directory, action, resource)
    unless { principal.scopes.contains(context.scope) };`,
  'provided-by-directories-only': `forbid (principal, action in Action::"directory", resource)
    unless { principal is Directory };`,
  'transmitter-tells': `permit (principal is Transmitter, action in Action::"transmitter", resource is Organisation);`,
  'transmitter-tells-only': `forbid (principal is Transmitter, action, resource)
    unless { action in Action::"transmitter" };`,
  'told-by-transmitters-only': `forbid (principal, action in Action::"transmitter", resource)
    unless { principal is Transmitter };`,
  'operator-operates': `permit (principal is Operator, action in Action::"operator", resource is Installation);`,
  'own-organisation-only': `forbid (principal, action, resource)
    unless { resource is Installation || (principal has organisation && resource in principal.organisation) };`,
  'api-key-within-scopes': `forbid (principal is ApiKey, action, resource)
    unless { principal.scopes.contains(context.scope) };`,
  // What is no part of a project is in none.
  'within-projects': `forbid (principal, action, resource)
    when { principal has projects && !(resource in principal.projects) };`,
  // Whoever has a key may give it up.
  'support-reads-helps-or-leaves': `forbid (principal is Support, action, resource)
    unless { context.scope like "*:read" || action == Action::"impersonation:leave" ||
      (principal.writes && ${among('agent', 'run')}) };`,
  'client-within-scopes': `forbid (principal is Client, action, resource)
    unless { principal.scopes.contains(context.scope) };`,
};

/** Whether an action is one of what these permissions are about. */
function among(...about: readonly string[]): string {
  const names = PERMISSION_NAMES.filter((name) => about.includes(name.split(':')[0] ?? ''));
  return `action in [${names.map((name) => `Action::"${name}"`).join(', ')}]`;
}

/** Below the organisation as well: what is in it is read by whoever reads in it. */
function permit(role: string): string {
  return `permit (principal in Role::"${role}", action in Action::"${role.toLowerCase()}", resource)
    unless { resource is Installation };`;
}

/** Each role is a member of the one below it: an Owner can do what an Admin can. */
export const ROLE_PARENTS: Readonly<Record<string, string | undefined>> = {
  Owner: 'Admin',
  Admin: 'Developer',
  Developer: 'Viewer',
  Viewer: 'Member',
};

const GROUPS: readonly Grantee[] = ['member', 'viewer', 'developer', 'admin', 'owner'];
const TREE = ['Organisation', 'Project', 'Agent', 'Workflow'];
const LABELS = record({
  environment: { type: 'String', required: false },
  tags: { type: 'Set', element: { type: 'String' } },
});
const BELONGS = {
  organisation: { type: 'Entity', name: 'Organisation' },
  mfaAt: { type: 'Extension', name: 'datetime', required: false },
};
const SCOPES = {
  scopes: { type: 'Set', element: { type: 'String' } },
  projects: { type: 'Set', element: { type: 'Entity', name: 'Project' }, required: false },
};
const CIRCUMSTANCES = record({
  scope: { type: 'String' },
  ip: { type: 'Extension', name: 'ipaddr' },
  now: { type: 'Extension', name: 'datetime' },
  weekday: { type: 'Long' },
});

function record(attributes: object): object {
  return { type: 'Record', attributes };
}

function action(name: PermissionName, principalTypes: readonly string[]): object {
  const { grantee } = PERMISSIONS[name];
  const within = isInTheTree(name) ? TREE : ['Organisation'];
  const resourceTypes = grantee === 'operator' ? ['Installation'] : within;
  return {
    memberOf: [{ id: grantee }],
    appliesTo: { principalTypes, resourceTypes, context: CIRCUMSTANCES },
  };
}

/** What an organisation's own policies may speak of: nothing of the installation, and nobody from outside. */
const OF_ORGANISATIONS = {
  // Labelled with nothing, so that a policy need not say first that it speaks of something else.
  Organisation: { shape: LABELS },
  Project: { memberOfTypes: ['Organisation'], shape: LABELS },
  Agent: { memberOfTypes: ['Project'], shape: LABELS },
  Workflow: { memberOfTypes: ['Agent'], shape: LABELS },
  Role: { memberOfTypes: ['Role'] },
  Group: {},
  User: { memberOfTypes: ['Role', 'Group'], shape: record(BELONGS) },
  Support: {
    memberOfTypes: ['Role', 'Group', 'User'],
    shape: record({ ...BELONGS, writes: { type: 'Boolean' } }),
  },
  ApiKey: { memberOfTypes: ['Role', 'Group', 'User'], shape: record({ ...BELONGS, ...SCOPES }) },
  Client: { memberOfTypes: ['Role'], shape: record({ ...BELONGS, ...SCOPES }) },
};

/** What the policies of an organisation speak of: not the operator's, nor what directories and transmitters alone do. */
function isOfOrganisations(grantee: Grantee): boolean {
  return grantee !== 'operator' && grantee !== 'directory' && grantee !== 'transmitter';
}

function schemaOf(names: readonly PermissionName[], groups: readonly string[], outside: object): Schema {
  const entityTypes = { ...OF_ORGANISATIONS, ...outside };
  const principals = Object.keys(entityTypes).filter((type) =>
    ['User', 'ApiKey', 'Client', 'Support', 'Directory', 'Transmitter', 'Operator'].includes(type),
  );
  return {
    '': {
      entityTypes,
      actions: {
        ...Object.fromEntries(groups.map((group) => [group, {}])),
        ...Object.fromEntries(names.map((name) => [name, action(name, principals)])),
      },
    },
  };
}

type Schema = Record<string, { entityTypes: Record<string, object>; actions: Record<string, object> }>;

/** The schema that the default policies are checked against when they are loaded. */
export const SCHEMA = schemaOf(PERMISSION_NAMES, [...GROUPS, 'directory', 'transmitter', 'operator'], {
  Installation: {},
  Directory: { shape: record({ ...BELONGS, ...SCOPES }) },
  Transmitter: { shape: record(BELONGS) },
  Operator: {},
});

/** The schema that an organisation's own policies are checked against when they are written. */
export const ORGANISATION_SCHEMA = schemaOf(
  PERMISSION_NAMES.filter((name) => isOfOrganisations(PERMISSIONS[name].grantee)),
  GROUPS,
  {},
);
