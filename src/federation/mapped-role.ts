import { ROLES, type Role } from '../auth/index.js';

/** What a provider's word can make of somebody: Owners are made by people only. */
export type MappedRole = Exclude<Role, 'Owner'>;
export const MAPPED_ROLES: readonly MappedRole[] = ROLES.filter((role) => role !== 'Owner');

/** The first rule that fits says the role. */
export interface RoleRule {
  readonly claim: string;
  readonly value: string;
  readonly role: MappedRole;
}

export interface RoleMapping {
  readonly rules: readonly RoleRule[];
  readonly defaultRole: MappedRole;
  /** Whether the role is set anew with each sign-in. */
  readonly everySignIn: boolean;
}

/** Rows in which a rule could still say Owner: it is read as Admin. */
interface StoredMapping {
  readonly rules: readonly (Omit<RoleRule, 'role'> & { readonly role: Role })[];
  readonly defaultRole: Role;
  readonly everySignIn: boolean;
}

export const roleMappingColumn = {
  to: (mapping: RoleMapping): RoleMapping => mapping,
  from: ({ rules, defaultRole, everySignIn }: StoredMapping): RoleMapping => ({
    rules: rules.map((rule) => ({ ...rule, role: withoutOwner(rule.role) })),
    defaultRole: withoutOwner(defaultRole),
    everySignIn,
  }),
};

function withoutOwner(role: Role): MappedRole {
  return role === 'Owner' ? 'Admin' : role;
}
