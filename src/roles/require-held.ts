import { Injectable } from '@nestjs/common';
import { Access, isInTheTree, organisation, type PermissionName, type Resource } from '../access/index.js';
import { GrantExceedsOwn } from '../auth/index.js';
import { currentTenant } from '../platform/database/index.js';
import type { Actor } from '../platform/http/request-context.js';

/** Nobody gives what they do not have: each permission is asked for as if the giver were to use it, there and now. */
@Injectable()
export class RequireHeld {
  constructor(private readonly access: Access) {}

  /** @throws {GrantExceedsOwn} naming the first permission that is missing */
  async everywhere(actor: Actor, permissions: readonly PermissionName[]): Promise<void> {
    await this.on(actor, permissions, organisation(currentTenant().id));
  }

  /** Below the organisation only what lives there counts: nothing else is given by a grant there. */
  async on(actor: Actor, permissions: readonly PermissionName[], resource: Resource): Promise<void> {
    const effective = resource.project ? permissions.filter(isInTheTree) : permissions;
    for (const permission of effective) {
      const decision = await this.access.decide(actor, permission, resource);
      if (decision.allowed) continue;
      this.access.noteRefused(permission, resource, decision);
      throw new GrantExceedsOwn(`the permission ${permission}`, permission);
    }
  }
}
