import { isAbove, type Role } from '../auth/index.js';
import type { AttributeMapping } from './connection.entity.js';
import type { MappedRole, RoleMapping } from './mapped-role.js';

/** What a provider said of somebody, proven: each claim or attribute with its values. */
export type Claims = Readonly<Record<string, readonly string[]>>;

export interface MappedPerson {
  readonly email?: string;
  readonly name?: string;
  readonly groups: readonly string[];
  readonly role: MappedRole;
  /** Which rule gave the role; undefined: it is the default. */
  readonly rule?: number;
  /** The role that the rules gave, where the connection must not give it. */
  readonly capped?: MappedRole;
}

const LONGEST_NAME = 200;

/** What claims mean under a connection's mapping. */
export function mapClaims(
  claims: Claims,
  mapping: AttributeMapping,
  roles: RoleMapping,
  highestRole: Role,
): MappedPerson {
  const email = first(claims, mapping.email)?.trim();
  const name = first(claims, mapping.name)?.trim().slice(0, LONGEST_NAME);
  const rule = roles.rules.findIndex(({ claim, value }) => valuesOf(claims, claim).includes(value));
  const given = roles.rules[rule]?.role ?? roles.defaultRole;
  const role = lower(given, highestRole);
  return {
    ...(email && { email }),
    ...(name && { name }),
    groups: valuesOf(claims, mapping.groups),
    role,
    ...(rule >= 0 && { rule }),
    ...(role !== given && { capped: given }),
  };
}

/** Of two roles the one that may less. */
export function lower(one: MappedRole, other: Role): MappedRole {
  return other !== 'Owner' && isAbove(one, other) ? other : one;
}

function first(claims: Claims, name: string): string | undefined {
  const values = valuesOf(claims, name);
  // Of two addresses, which is the person's? The one that an attacker could add must not be it.
  return values.length === 1 ? values[0] : undefined;
}

function valuesOf(claims: Claims, name: string): readonly string[] {
  return Object.hasOwn(claims, name) ? (claims[name] ?? []) : [];
}
