import type * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import { isIP } from 'node:net';
import type { Actor } from '../platform/http/request-context.js';
import { ROLE_PARENTS } from './default-policies.js';
import { coversScope, PERMISSIONS, type PermissionName } from './permissions.js';
import type { Labels, Resource } from './resource.js';

/** Under which circumstances something is asked for. */
export interface Circumstances {
  readonly ip: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** What Cedar calls those who ask; nobody else may do anything. */
const PRINCIPALS: Partial<Record<Actor['type'], string>> = {
  user: 'User',
  api_key: 'ApiKey',
  client: 'Client',
  support: 'Support',
  directory: 'Directory',
  transmitter: 'Transmitter',
  operator: 'Operator',
};

/** Who acts within scopes, and for whom having none named is having none. */
const SCOPED: ReadonlySet<Actor['type']> = new Set(['api_key', 'client']);

export function principalOf({ type, id }: Actor): cedar.TypeAndId | undefined {
  const name = PRINCIPALS[type];
  return name === undefined ? undefined : { type: name, id };
}

export function resourceOf({ tenant, project, agent }: Resource): cedar.TypeAndId {
  if (agent) return { type: 'Agent', id: agent.id };
  if (project) return { type: 'Project', id: project.id };
  return tenant === undefined ? { type: 'Installation', id: 'waxell' } : { type: 'Organisation', id: tenant };
}

/** The entities that a decision needs, and no other: Cedar reads them anew for each. */
export function entitiesOf(
  actor: Actor,
  principal: cedar.TypeAndId,
  permission: PermissionName,
): cedar.EntityJson[] {
  const { scope, grantee } = PERMISSIONS[permission];
  return [
    {
      uid: principal,
      attrs: {
        ...(actor.tenant !== undefined && { organisation: entity('Organisation', actor.tenant) }),
        ...(actor.mfaAt !== undefined && { mfaAt: datetime(actor.mfaAt) }),
        ...(actor.projects && { projects: actor.projects.map((id) => entity('Project', id)) }),
        ...(actor.type === 'support' && { writes: actor.writes === true }),
        // Whether they hold the one scope that is asked for; the others decide nothing.
        // By a token of its own a directory may all that directories may; by a client's what that is good for.
        ...(actor.type === 'directory' && {
          scopes: actor.scopes === undefined || holds(actor.scopes, scope) ? [scope] : [],
        }),
        ...(SCOPED.has(actor.type) && { scopes: holds(actor.scopes, scope) ? [scope] : [] }),
      },
      parents: [
        ...actor.roles.map((id) => ({ type: 'Role', id })),
        ...(actor.userId !== undefined ? [{ type: 'User', id: actor.userId }] : []),
        ...(actor.access?.groups ?? []).map((id) => ({ type: 'Group', id })),
      ],
    },
    ...actor.roles.flatMap(rolesFrom),
    { uid: { type: 'Action', id: permission }, attrs: {}, parents: [{ type: 'Action', id: grantee }] },
  ];
}

/** The resource and everything above it. */
export function treeOf({ tenant, project, agent }: Resource): cedar.EntityJson[] {
  const above = (type: string, id: string | undefined): cedar.TypeAndId[] =>
    id === undefined ? [] : [{ type, id }];
  const whole = tenant !== undefined && !project && !agent;
  return [
    ...(whole ? [{ uid: { type: 'Organisation', id: tenant }, attrs: { tags: [] }, parents: [] }] : []),
    ...(agent
      ? [
          {
            uid: { type: 'Agent', id: agent.id },
            attrs: labels(agent),
            parents: above('Project', project?.id),
          },
        ]
      : []),
    ...(project
      ? [
          {
            uid: { type: 'Project', id: project.id },
            attrs: labels(project),
            parents: above('Organisation', tenant),
          },
        ]
      : []),
  ];
}

export function contextOf(permission: PermissionName, { ip, at }: Circumstances): cedar.Context {
  return {
    scope: PERMISSIONS[permission].scope,
    ip: { __extn: { fn: 'ip', arg: addressOf(ip) } },
    now: datetime(at),
    weekday: new Date(at).getUTCDay() || 7,
  };
}

/** An address as Cedar reads it. One that is not known is in no network. */
function addressOf(ip: string): string {
  const plain = ip.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  return isIP(plain) === 0 ? '0.0.0.0' : plain;
}

function datetime(at: number): cedar.CedarValueJson {
  return { __extn: { fn: 'datetime', arg: new Date(at).toISOString() } };
}

function entity(type: string, id: string): cedar.CedarValueJson {
  return { __entity: { type, id } };
}

function labels({ environment, tags }: Labels): Record<string, cedar.CedarValueJson> {
  return { ...(environment !== null && { environment }), tags: [...tags] };
}

function holds(scopes: readonly string[] | undefined, scope: string): boolean {
  return coversScope(scopes ?? [], scope);
}

/** A role and those below it. */
function rolesFrom(role: string): cedar.EntityJson[] {
  const chain: cedar.EntityJson[] = [];
  for (let id: string | undefined = role; id !== undefined; id = ROLE_PARENTS[id]) {
    const parent = ROLE_PARENTS[id];
    chain.push({
      uid: { type: 'Role', id },
      attrs: {},
      parents: parent === undefined ? [] : [{ type: 'Role', id: parent }],
    });
  }
  return chain;
}
