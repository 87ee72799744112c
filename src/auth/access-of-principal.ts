import { grantablePermissions, leastRole } from '../access/index.js';
import { NO_ACCESS, type Access, type Grantable, type Grant } from '../platform/http/grants.js';

interface GrantRow {
  readonly id: string;
  readonly role: string;
  readonly permissions: readonly string[] | null;
  readonly kind: Grantable;
  readonly resource: string;
}

export interface AccessRow {
  readonly policies: number | null;
  readonly groups: readonly string[] | null;
  readonly grants: readonly GrantRow[] | null;
}

/** Every group that the person `u` is in, directly or through others. */
const GROUPS_OF_USER = `(WITH RECURSIVE found AS (
    SELECT group_id FROM group_members WHERE user_id = u.id
    UNION SELECT s.group_id FROM found JOIN group_subgroups s ON s.member_id = found.group_id)
  SELECT group_id FROM found)`;
/** What only those who administer may do, of the permissions that a role of the organisation's own can have. */
const ADMINISTERING = grantablePermissions().filter((name) => leastRole(name) === 'Admin');

/**
 * The role of the person `u` as far as it says whether they administer: `Admin` too where a grant, of theirs or of one of their
 * groups, makes them administer anything.
 */
export const ROLE_OF_STANDING = `CASE WHEN u.role NOT IN ('Owner', 'Admin') AND EXISTS (
    SELECT FROM role_grants g LEFT JOIN roles r ON r.id = g.role_id
    WHERE (g.user_id = u.id OR g.group_id IN ${GROUPS_OF_USER})
      AND (g.role IN ('Owner', 'Admin') OR r.permissions && '{${ADMINISTERING.join()}}'::text[]))
  THEN 'Admin' ELSE u.role END`;

const IN_FORCE = `(SELECT version FROM access_policy_activations ORDER BY number DESC LIMIT 1)`;
/** Beyond these nobody's grants are looked at: each is a policy to decide by, and one that is left out permits nothing. */
const GRANTS_READ = 500;

/** What is granted to who fits a condition. */
function grantedTo(holder: string): string {
  return `(SELECT json_agg(json_build_object('id', g.id, 'role', COALESCE(g.role, g.role_id::text), 'permissions', r.permissions,
      'kind', g.resource_type, 'resource', g.resource_id) ORDER BY g.id)
    FROM (SELECT * FROM role_grants WHERE ${holder} ORDER BY id LIMIT ${GRANTS_READ + 1}) g
      LEFT JOIN roles r ON r.id = g.role_id) AS grants`;
}

/**
 * In the same statement as the person `u`: what they and their groups were granted, and which of the organisation's policies
 * are in force. Groups themselves are of interest to policies alone.
 */
export const ACCESS_OF_USER = `${IN_FORCE} AS policies,
  (SELECT array_agg(group_id ORDER BY group_id) FROM ${GROUPS_OF_USER} of_user
    WHERE ${IN_FORCE} IS NOT NULL) AS groups,
  ${grantedTo(`user_id = u.id OR group_id IN ${GROUPS_OF_USER}`)}`;

/** The same of the client `c`, which is in no group. */
export const ACCESS_OF_CLIENT = `${IN_FORCE} AS policies, NULL::uuid[] AS groups,
  ${grantedTo('service_account_id = c.id')}`;

/** Of people and clients by their ids ($1). */
export const ACCESS_OF_ALL = `SELECT u.id, ${ACCESS_OF_USER} FROM users u WHERE u.id = ANY ($1::uuid[])
  UNION ALL SELECT c.id, ${ACCESS_OF_CLIENT} FROM oauth_clients c WHERE c.id = ANY ($1::uuid[])`;

export function accessOf({ policies, groups, grants }: AccessRow): Access {
  if (policies === null && grants === null) return NO_ACCESS;
  const found = (grants ?? []).map(grantOf);
  return {
    policies: policies ?? 0,
    groups: groups ?? [],
    grants: found.slice(0, GRANTS_READ),
    ...(found.length > GRANTS_READ && { cut: true as const }),
  };
}

function grantOf({ id, role, permissions, kind, resource }: GrantRow): Grant {
  return { id, role, ...(permissions && { permissions }), on: { kind, id: resource } };
}
