import { Injectable } from '@nestjs/common';
import {
  isAdministrative,
  organisation,
  OrganisationPolicies,
  permissionsOf,
  ResourceTree,
  type PermissionName,
  type PolicyHead,
} from '../access/index.js';
import { currentTenant, TenantDatabase } from '../platform/database/index.js';
import type { Grantable } from '../platform/http/grants.js';
import type { Actor } from '../platform/http/request-context.js';
import { RequireHeld } from './require-held.js';
import type { GrantedRole } from './role.entity.js';
import { GrantToSelf, LeavesPolicy } from './roles.errors.js';

interface Row {
  role: GrantedRole | null;
  permissions: PermissionName[] | null;
  resource_type: Grantable;
  resource_id: string;
}

/** People, and groups, that somebody puts into a group or takes out of it. */
export interface Concerned {
  readonly people: readonly string[];
  readonly groups: readonly string[];
}

/** A group, and those that it is in. */
const ABOVE = `WITH RECURSIVE above AS (
    SELECT $1::uuid AS id
    UNION SELECT s.group_id FROM above JOIN group_subgroups s ON s.member_id = above.id)`;

/** What a group gives to whoever is put into it. */
@Injectable()
export class GroupGrants {
  constructor(
    private readonly database: TenantDatabase,
    private readonly tree: ResourceTree,
    private readonly held: RequireHeld,
    private readonly policies: OrganisationPolicies,
  ) {}

  /**
   * Putting somebody into a group is a grant of what it holds, of what the groups hold that it is in, and of what policies
   * permit to these: nobody gives that way either what they do not have, or anything to themselves. Answers whether it is
   * administrative power.
   */
  async requireGivable(actor: Actor, groupId: string, joining: Concerned): Promise<boolean> {
    if (joining.people.length + joining.groups.length === 0) return false;
    const own = await this.#concerns(actor, joining);
    const grants = await this.#of(groupId);
    const policies = await this.#naming(groupId);
    if (own && (grants.length > 0 || (policies.length > 0 && !isOwner(actor)))) throw new GrantToSelf();
    const tenant = currentTenant();
    for (const grant of grants) {
      const { resource_type: kind, resource_id: id } = grant;
      const resource =
        kind === 'organisation' ? organisation(tenant.id) : await this.tree.find(tenant, kind, id);
      if (!resource) continue;
      await this.held.on(actor, given(grant), resource);
    }
    for (const { effect, actions } of policies)
      if (effect === 'permit') await this.held.everywhere(actor, actions ?? []);
    return grants.some(isPower);
  }

  /** Whether whoever is in a group has any role by that, and whether administrative power. */
  async givenBy(groupId: string): Promise<{ readonly roles: boolean; readonly administrative: boolean }> {
    const grants = await this.#of(groupId);
    return { roles: grants.length > 0, administrative: grants.some(isPower) };
  }

  /** Nobody takes themselves out of a group that a policy in force looks at: it may forbid something to who is in it. */
  async requireLeavable(actor: Actor, groupId: string, leaving: Concerned): Promise<void> {
    if (isOwner(actor) || !(await this.#concerns(actor, leaving))) return;
    const [policy] = await this.#naming(groupId);
    if (policy) throw new LeavesPolicy(policy.name);
  }

  /** What is granted to a group is granted to who is in it. Of an Owner it gives nothing more. @throws {GrantToSelf} */
  async requireOthers(actor: Actor, groupId: string): Promise<void> {
    if (isOwner(actor)) return;
    if (await this.#concerns(actor, { people: [], groups: [groupId] })) throw new GrantToSelf();
  }

  /**
   * Whether whoever acts is among them, or in one of the groups, through others too. They are locked first: a grant to a group
   * and the way into it come one after the other, and the second sees the first.
   */
  async #concerns({ id, userId = id }: Actor, { people, groups }: Concerned): Promise<boolean> {
    const direct = people.includes(userId);
    if (!direct && groups.length === 0) return false;
    await this.database.query({
      text: 'SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE',
      values: [userId],
    });
    if (direct) return true;
    const found = await this.database.query({
      text: `WITH RECURSIVE found AS (
          SELECT group_id FROM group_members WHERE user_id = $1
          UNION SELECT s.group_id FROM found JOIN group_subgroups s ON s.member_id = found.group_id)
        SELECT 1 FROM found WHERE group_id = ANY ($2::uuid[]) LIMIT 1`,
      values: [userId, groups],
    });
    return found.length > 0;
  }

  /** The policies in force that name the group, or one that it is in. */
  async #naming(groupId: string): Promise<PolicyHead[]> {
    const { heads } = await this.policies.inForce();
    if (heads.every(({ groups }) => groups.length === 0)) return [];
    const rows = await this.database.query<{ id: string }>({
      text: `${ABOVE} SELECT id FROM above`,
      values: [groupId],
    });
    const above = new Set(rows.map(({ id }) => id));
    return heads.filter(({ groups }) => groups.some((id) => above.has(id)));
  }

  #of(groupId: string): Promise<Row[]> {
    return this.database.query<Row & Record<string, unknown>>({
      name: 'grants_of_group',
      text: `${ABOVE}
        SELECT DISTINCT g.role, r.permissions, g.resource_type, g.resource_id
        FROM role_grants g LEFT JOIN roles r ON r.id = g.role_id WHERE g.group_id IN (SELECT id FROM above)`,
      values: [groupId],
    });
  }
}

function isOwner({ roles }: Actor): boolean {
  return roles.includes('Owner');
}

function given({ role, permissions }: Row): readonly PermissionName[] {
  return role === null ? (permissions ?? []) : permissionsOf(role);
}

function isPower(grant: Row): boolean {
  return given(grant).some(isAdministrative);
}
