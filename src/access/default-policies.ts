import { PERMISSIONS } from './permissions.js';

/**
 * The policies that every organisation starts with. Nothing is allowed that no `permit` allows; a `forbid` beats every
 * `permit`. The annotation is the name under which a decision reports the policy.
 */
export const DEFAULT_POLICIES: Readonly<Record<string, string>> = {
  'viewer-reads': `permit (principal in Role::"Viewer", action in Action::"viewer", resource is Organisation);`,
  'developer-builds': `permit (principal in Role::"Developer", action in Action::"developer", resource is Organisation);`,
  'admin-administers': `permit (principal in Role::"Admin", action in Action::"admin", resource is Organisation);`,
  'owner-owns': `permit (principal in Role::"Owner", action in Action::"owner", resource is Organisation);`,
  'operator-operates': `permit (principal is Operator, action in Action::"operator", resource is Installation);`,
  'own-organisation-only': `forbid (principal, action, resource is Organisation)
    unless { principal has organisation && principal.organisation == resource };`,
  'api-key-within-scopes': `forbid (principal is ApiKey, action, resource)
    unless { principal.scopes.contains(context.scope) };`,
  'client-within-scopes': `forbid (principal is Client, action, resource)
    unless { principal.scopes.contains(context.scope) };`,
};

const action = (grantee: string): object => ({
  memberOf: [{ id: grantee }],
  appliesTo: {
    principalTypes: ['User', 'ApiKey', 'Client', 'Operator'],
    resourceTypes: ['Organisation', 'Installation'],
    context: { type: 'Record', attributes: { scope: { type: 'String' } } },
  },
});

const LIMITED_BY_SCOPES = {
  memberOfTypes: ['Role'],
  shape: {
    type: 'Record',
    attributes: {
      organisation: { type: 'Entity', name: 'Organisation' },
      scopes: { type: 'Set', element: { type: 'String' } },
    },
  },
};

/** The schema that policies are checked against when they are loaded. */
export const SCHEMA = {
  '': {
    entityTypes: {
      Organisation: {},
      Installation: {},
      Role: { memberOfTypes: ['Role'] },
      User: {
        memberOfTypes: ['Role'],
        shape: { type: 'Record', attributes: { organisation: { type: 'Entity', name: 'Organisation' } } },
      },
      ApiKey: LIMITED_BY_SCOPES,
      Client: LIMITED_BY_SCOPES,
      Operator: {},
    },
    actions: {
      ...Object.fromEntries(
        ['viewer', 'developer', 'admin', 'owner', 'operator'].map((group) => [group, {}]),
      ),
      ...Object.fromEntries(
        Object.entries(PERMISSIONS).map(([name, { grantee }]) => [name, action(grantee)]),
      ),
    },
  },
};
