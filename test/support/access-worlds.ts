import type { PermissionName } from '../../src/access/permissions.js';
import { DEFAULT_ROLES, isInTheTree, PERMISSION_NAMES, PERMISSIONS } from '../../src/access/permissions.js';
import type { Circumstances } from '../../src/access/entities.js';
import {
  agentResource,
  INSTALLATION,
  organisation,
  projectResource,
  type Resource,
} from '../../src/access/resource.js';
import { tenantId } from '../../src/platform/database/tenant-id.js';
import type { Grant } from '../../src/platform/http/grants.js';
import type { Actor } from '../../src/platform/http/request-context.js';

/** Numbers that are the same for the same seed (mulberry32). */
export class Draws {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * limit);
  }

  one<T>(of: readonly T[]): T {
    const drawn = of[this.below(of.length)];
    if (drawn === undefined) throw new Error('There is nothing to draw from.');
    return drawn;
  }

  some<T>(of: readonly T[], most: number): T[] {
    return [...new Set(Array.from({ length: this.below(most + 1) }, () => this.one(of)))];
  }

  chance(ofHundred: number): boolean {
    return this.below(100) < ofHundred;
  }
}

export const TENANTS = [tenantId('t_000000000000000a'), tenantId('t_000000000000000b')] as const;
export const ENVIRONMENTS = ['production', 'staging', 'dev'] as const;
const TAGS = ['pii', 'eu', 'pilot'] as const;
const USERS = ['u1', 'u2', 'u3'] as const;
const GROUPS = ['g1', 'g2'] as const;
/** In the form of ids, so that they may stand in SQL. */
export const idOf = (kind: string, number: number): string =>
  `0189${kind}-0000-7000-8000-${String(number).padStart(12, '0')}`;
const PROJECTS = [1, 2, 3].map((number) => idOf('00', number));
const AGENTS = [1, 2, 3, 4, 5, 6].map((number) => idOf('0a', number));
const NETWORKS = ['192.0.2.0/24', '10.0.0.0/8'] as const;
const ADDRESSES = ['192.0.2.7', '10.1.2.3', '203.0.113.9'] as const;
const DAY = 86_400_000;
const SOME_MONDAY = Date.UTC(2026, 10, 23);

/** What a policy's condition may say; each is written as Cedar, and told by the evaluator of the tests. */
export type Saying =
  | { readonly says: 'environment'; readonly is: string }
  | { readonly says: 'tagged'; readonly as: string }
  | { readonly says: 'from'; readonly network: (typeof NETWORKS)[number] }
  | { readonly says: 'before'; readonly hour: number }
  | { readonly says: 'workday' }
  | { readonly says: 'proved'; readonly minutes: number }
  | { readonly says: 'not'; readonly what: Saying }
  | { readonly says: 'both' | 'either'; readonly one: Saying; readonly other: Saying };

export interface DrawnPolicy {
  readonly name: string;
  readonly effect: 'permit' | 'forbid';
  readonly who:
    { readonly user: string } | { readonly group: string } | { readonly role: string } | 'anybody';
  readonly actions: readonly PermissionName[] | 'any';
  readonly on: { readonly project: string } | { readonly agent: string } | 'anything';
  readonly when: Saying | undefined;
}

const OURS = PERMISSION_NAMES.filter((name) => PERMISSIONS[name].grantee !== 'operator');
const BELOW = OURS.filter(isInTheTree);
const OF_OPERATOR = PERMISSION_NAMES.filter((name) => PERMISSIONS[name].grantee === 'operator');
const OF_DIRECTORIES = OURS.filter((name) => PERMISSIONS[name].grantee === 'directory');
const OF_TRANSMITTERS = OURS.filter((name) => PERMISSIONS[name].grantee === 'transmitter');
const SCOPES = [...OURS.map((name) => PERMISSIONS[name].scope), '*:read', '*:admin'];

export function drawPolicy(draws: Draws, number: number): DrawnPolicy {
  const effect = draws.chance(50) ? 'permit' : 'forbid';
  const actions = draws.some(draws.chance(60) ? BELOW : OURS, 4);
  return {
    name: `p-${number}`,
    effect,
    who: draws.one([
      { user: draws.one(USERS) },
      { group: draws.one(GROUPS) },
      { role: draws.one(DEFAULT_ROLES) },
      'anybody' as const,
    ]),
    actions: actions.length === 0 ? (effect === 'forbid' ? 'any' : [draws.one(BELOW)]) : actions,
    on: draws.one([{ project: draws.one(PROJECTS) }, { agent: draws.one(AGENTS) }, 'anything' as const]),
    when: draws.chance(70) ? drawSaying(draws, 2) : undefined,
  };
}

function drawSaying(draws: Draws, depth: number): Saying {
  if (depth > 0 && draws.chance(40)) {
    if (draws.chance(30)) return { says: 'not', what: drawSaying(draws, depth - 1) };
    const says = draws.one(['both', 'either'] as const);
    return { says, one: drawSaying(draws, depth - 1), other: drawSaying(draws, depth - 1) };
  }
  return draws.one<Saying>([
    { says: 'environment', is: draws.one(ENVIRONMENTS) },
    { says: 'tagged', as: draws.one(TAGS) },
    { says: 'from', network: draws.one(NETWORKS) },
    { says: 'before', hour: draws.below(24) },
    { says: 'workday' },
    { says: 'proved', minutes: 5 + draws.below(60) },
  ]);
}

/** The policy in Cedar. */
export function inCedar({ name, effect, who, actions, on, when }: DrawnPolicy): string {
  const principal =
    who === 'anybody'
      ? 'principal'
      : 'user' in who
        ? `principal in User::"${who.user}"`
        : 'group' in who
          ? `principal in Group::"${who.group}"`
          : `principal in Role::"${who.role}"`;
  const action =
    actions === 'any' ? 'action' : `action in [${actions.map((one) => `Action::"${one}"`).join(', ')}]`;
  const resource =
    on === 'anything'
      ? 'resource'
      : 'project' in on
        ? `resource in Project::"${on.project}"`
        : `resource == Agent::"${on.agent}"`;
  const condition = when ? ` when { ${sayingInCedar(when)} }` : '';
  return `@id("${name}") ${effect} (${principal}, ${action}, ${resource})${condition};`;
}

function sayingInCedar(saying: Saying): string {
  switch (saying.says) {
    case 'environment':
      return `(resource has environment && resource.environment == "${saying.is}")`;
    case 'tagged':
      return `resource.tags.contains("${saying.as}")`;
    case 'from':
      return `context.ip.isInRange(ip("${saying.network}"))`;
    case 'before':
      return `context.now.toTime() < duration("${saying.hour}h")`;
    case 'workday':
      return 'context.weekday <= 5';
    case 'proved':
      return `(principal has mfaAt && context.now.durationSince(principal.mfaAt) <= duration("${saying.minutes}m"))`;
    case 'not':
      return `!(${sayingInCedar(saying.what)})`;
    default:
      return `(${sayingInCedar(saying.one)} ${saying.says === 'both' ? '&&' : '||'} ${sayingInCedar(saying.other)})`;
  }
}

/** Everything in one organisation, and one project of another. */
export function drawResources(draws: Draws): Resource[] {
  const [ours, theirs] = TENANTS;
  const labels = () => ({
    environment: draws.chance(60) ? draws.one(ENVIRONMENTS) : null,
    tags: draws.some(TAGS, 2),
  });
  const projects = PROJECTS.map((id) => ({ id, ...labels() }));
  const agents = AGENTS.map((id) => agentResource(ours, draws.one(projects), { id, ...labels() }));
  return [
    organisation(ours),
    ...projects.map((project) => projectResource(ours, project)),
    ...agents,
    projectResource(theirs, { id: PROJECTS[0] ?? '', ...labels() }),
  ];
}

export function drawActor(draws: Draws, at: number): Actor {
  const id = draws.one(USERS);
  const grants = Array.from({ length: draws.below(3) }, (_, number): Grant => {
    const own = draws.chance(40);
    return {
      id: `g${number}`,
      role: own ? `r${number}` : draws.one(['Viewer', 'Developer', 'Admin']),
      ...(own && { permissions: draws.some(OURS, 5) }),
      on: draws.one([
        { kind: 'organisation' as const, id: TENANTS[0] },
        { kind: 'project' as const, id: draws.one(PROJECTS) },
        { kind: 'agent' as const, id: draws.one(AGENTS) },
      ]),
    };
  });
  const tenant = draws.chance(95) ? TENANTS[0] : TENANTS[1];
  const type = drawType(draws);
  const scopes = draws.some(SCOPES, 6);
  switch (type) {
    case 'operator':
      return { type, id: 'o', roles: [] };
    case 'directory':
      return {
        type,
        id: 'd',
        tenant,
        roles: [],
        ...(draws.chance(50) && { scopes: [...scopes, 'scim:read'] }),
      };
    case 'transmitter':
      return { type, id: 't', tenant, roles: [] };
    default:
  }
  const shared = {
    tenant,
    roles: [draws.one(DEFAULT_ROLES)],
    access: { policies: 1, groups: draws.some(GROUPS, 2), grants },
  };
  const chosen = [draws.one(PROJECTS), ...draws.some(PROJECTS, 1)];
  const projects = draws.chance(40) && { projects: chosen };
  if (type === 'api_key') return { type, id: 'k', userId: id, scopes, ...shared, ...projects };
  if (type === 'support')
    return { type, id: 's', userId: id, ...shared, ...(draws.chance(50) && { writes: true as const }) };
  // A service account is in no group.
  if (type === 'client')
    return { type, id: 'c', scopes, ...shared, ...projects, access: { ...shared.access, groups: [] } };
  const mfaAt = draws.chance(60) ? at - draws.below(90 * 60_000) : undefined;
  return { type, id, ...shared, ...(mfaAt !== undefined && { mfaAt }) };
}

export function drawCircumstances(draws: Draws): Circumstances {
  return { ip: draws.one(ADDRESSES), at: SOME_MONDAY + draws.below(14 * DAY) };
}

/** Somebody who may be granted something: a person, or what acts for one. */
export function drawPerson(draws: Draws, at: number): Actor {
  for (;;) {
    const actor = drawActor(draws, at);
    if (actor.access) return actor;
  }
}

/** Most who ask are people and what acts for them; of the others a few. */
function drawType(draws: Draws) {
  return draws.one([
    ...(['user', 'user', 'user', 'user', 'user', 'api_key', 'api_key', 'api_key'] as const),
    ...(['client', 'client', 'support', 'support', 'directory', 'transmitter', 'operator'] as const),
  ]);
}

/** What somebody asks for: mostly what is theirs to ask, and anything at times. */
export function drawPermission(draws: Draws, { type }: Actor): PermissionName {
  const own = { directory: OF_DIRECTORIES, transmitter: OF_TRANSMITTERS, operator: OF_OPERATOR }[
    type as 'directory' | 'transmitter' | 'operator'
  ] as readonly PermissionName[] | undefined;
  if (draws.chance(70)) return draws.one(own ?? BELOW);
  return draws.one(PERMISSION_NAMES);
}

/** On what: what is in the tree, the whole organisation or the other, and the installation for what is the operator's. */
export function drawResource(draws: Draws, permission: PermissionName, tree: readonly Resource[]): Resource {
  if (PERMISSIONS[permission].grantee === 'operator')
    return draws.chance(80) ? INSTALLATION : organisation(draws.one(TENANTS));
  return isInTheTree(permission) ? draws.one(tree) : organisation(draws.one(TENANTS));
}
