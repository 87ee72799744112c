import { Injectable } from '@nestjs/common';
import {
  isAdministrative,
  organisation,
  permissionsOf,
  ResourceTree,
  type PermissionName,
} from '../access/index.js';
import { currentTenant, TenantDatabase } from '../platform/database/index.js';
import type { Grantable } from '../platform/http/grants.js';
import type { Actor } from '../platform/http/request-context.js';
import { RequireHeld } from './require-held.js';
import type { GrantedRole } from './role.entity.js';
import { GrantToSelf } from './roles.errors.js';

interface Row {
  role: GrantedRole | null;
  permissions: PermissionName[] | null;
  resource_type: Grantable;
  resource_id: string;
}

/** What a group gives to whoever is put into it. */
@Injectable()
export class GroupGrants {
  constructor(
    private readonly database: TenantDatabase,
    private readonly tree: ResourceTree,
    private readonly held: RequireHeld,
  ) {}

  /**
   * Putting somebody into a group is a grant of what it holds, and of what the groups hold that it is in: nobody gives that
   * way either what they do not have, or anything to themselves. Answers whether that is administrative power.
   */
  async requireGivable(actor: Actor, groupId: string, people: readonly string[]): Promise<boolean> {
    const grants = await this.#of(groupId);
    if (grants.length > 0 && people.includes(actor.userId ?? actor.id)) throw new GrantToSelf();
    const tenant = currentTenant();
    for (const grant of grants) {
      const { resource_type: kind, resource_id: id } = grant;
      const resource =
        kind === 'organisation' ? organisation(tenant.id) : await this.tree.find(tenant, kind, id);
      if (!resource) continue;
      await this.held.on(actor, given(grant), resource);
    }
    return grants.some(isPower);
  }

  /** Whether whoever comes into a group is given administrative power by that. */
  async areAdministrative(groupId: string): Promise<boolean> {
    return (await this.#of(groupId)).some(isPower);
  }

  #of(groupId: string): Promise<Row[]> {
    return this.database.query<Row & Record<string, unknown>>({
      text: `WITH RECURSIVE above AS (
          SELECT $1::uuid AS id
          UNION SELECT s.group_id FROM above JOIN group_subgroups s ON s.member_id = above.id)
        SELECT DISTINCT g.role, r.permissions, g.resource_type, g.resource_id
        FROM role_grants g LEFT JOIN roles r ON r.id = g.role_id WHERE g.group_id IN (SELECT id FROM above)`,
      values: [groupId],
    });
  }
}

function given({ role, permissions }: Row): readonly PermissionName[] {
  return role === null ? (permissions ?? []) : permissionsOf(role);
}

function isPower(grant: Row): boolean {
  return given(grant).some(isAdministrative);
}
