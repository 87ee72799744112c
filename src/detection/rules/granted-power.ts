import { areAdministrative, isAdministrative } from '../../access/index.js';
import type { EventBody } from '../../audit/index.js';
import type { Memory } from '../memory.js';
import type { Match, ObservedEvent } from '../observed-event.js';
import type { RuleSettings } from '../rule-catalogue.js';

const POWERFUL = new Set<unknown>(['Owner', 'Admin']);

/** Who or what has got administrative power. */
interface Given {
  readonly key: string;
  readonly title: string;
  readonly details: Record<string, unknown>;
}

type Changes = Readonly<Record<string, unknown>>;
type Reading = (changes: Changes, resource: string) => Given | undefined;

const PERSON = 'A person was given an administrative role';

function toPerson({ role }: Changes, person: string): Given | undefined {
  return POWERFUL.has(role) ? { key: person, title: PERSON, details: { person, role } } : undefined;
}

/** A provider says what role somebody has who signs in: whoever is new, or had another before. */
function toSignedIn({ account, role, roleBefore, user }: Changes): Given | undefined {
  const changed = account === 'added' || (roleBefore !== undefined && !POWERFUL.has(roleBefore));
  return changed && typeof user === 'string' ? toPerson({ role }, user) : undefined;
}

function byGrant({ principal, role, roleId, on, administrative }: Changes, grant: string): Given | undefined {
  if (!POWERFUL.has(role) && administrative !== true) return undefined;
  const id: unknown = (principal as { id?: unknown } | null | undefined)?.id;
  return {
    key: typeof id === 'string' ? id : grant,
    title: 'An administrative role was granted',
    details: { grant, principal, on, ...(role === undefined ? { roleId } : { role }) },
  };
}

/** For everybody who holds the role. */
function byRole({ permissions, before }: Changes, role: string): Given | undefined {
  const had = new Set(Array.isArray(before) ? before : []);
  const gained = textsIn(permissions).filter((name) => isAdministrative(name) && !had.has(name));
  if (gained.length === 0) return undefined;
  return { key: role, title: 'A role has gained administrative permissions', details: { role, gained } };
}

function byGroup({ administrative, added, groupsAdded }: Changes, group: string): Given | undefined {
  if (administrative !== true) return undefined;
  return {
    key: group,
    title: 'A group that holds an administrative role has got members',
    details: {
      group,
      ...(added !== undefined && { added }),
      ...(groupsAdded !== undefined && { groupsAdded }),
    },
  };
}

function toKey({ scopes }: Changes, key: string): Given | undefined {
  if (!areAdministrative(textsIn(scopes))) return undefined;
  return { key, title: 'A key was given administrative scopes', details: { apiKey: key, scopes } };
}

/** A client may do what its role and its scopes allow both. */
function toClient({ role, scopes, fields }: Changes, client: string): Given | undefined {
  const named = textsIn(fields);
  const changed = fields === undefined || ['role', 'scopes', 'status'].some((name) => named.includes(name));
  if (!changed || !POWERFUL.has(role) || !areAdministrative(textsIn(scopes))) return undefined;
  return { key: client, title: 'A client may administer', details: { client, role, scopes } };
}

const READINGS: ReadonlyMap<string, Reading> = new Map([
  ['user.created', toPerson],
  ['user.updated', toPerson],
  ['scim_user.created', toPerson],
  ['session.created', toSignedIn],
  ['second_factor.asked', toSignedIn],
  ['grant.created', byGrant],
  ['role.updated', byRole],
  ['group.members_changed', byGroup],
  ['scim_group.updated', byGroup],
  ['api_key.created', toKey],
  ['oauth_client.created', toClient],
  ['oauth_client.updated', toClient],
]);

/**
 * Somebody may administer now who may not have before, whichever way: by role, by grant, through a group, or by a key. The
 * first Owner comes with the organisation and is not meant.
 */
export function grantedPower(
  { body, at }: ObservedEvent,
  memory: Memory,
  { threshold, windowSeconds }: RuleSettings,
): Match | undefined {
  const given = givenBy(body);
  if (!given) return undefined;
  const times = memory.count(`privileges.granted ${given.key}`, at, windowSeconds);
  if (times < threshold) return undefined;
  return { ...given, details: { ...given.details, by: body.actor } };
}

function givenBy({ action, outcome, changes = {}, resource }: EventBody): Given | undefined {
  return outcome === 'success' ? READINGS.get(action)?.(changes, resource?.id ?? '') : undefined;
}

function textsIn(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}
