import { Injectable } from '@nestjs/common';
import {
  Authorizer,
  organisation,
  type Decision,
  type PermissionName,
  type PolicyVersion,
} from '../access/index.js';
import { ActorOfPerson } from '../auth/index.js';
import { currentTenant, TenantDatabase } from '../platform/database/index.js';
import { currentRequest, type Actor } from '../platform/http/request-context.js';
import { PoliciesLockOutOwners } from './policies.errors.js';

/** What at least one Owner has to be able to do, for an organisation not to be stuck. */
const NEEDED: readonly PermissionName[] = [
  'access_policy:manage',
  'access_policy:activate',
  'user:read',
  'user:update',
  'grant:manage',
  'auth_settings:update',
];
const OWNERS_LOOKED_AT = 100;

/** Refuses policies with which nobody could run the organisation any more. */
@Injectable()
export class KeepOwners {
  constructor(
    private readonly database: TenantDatabase,
    private readonly authorizer: Authorizer,
    private readonly actors: ActorOfPerson,
  ) {}

  /**
   * Asked as from here and now, with a second factor just proved: who could prove one would. @throws {PoliciesLockOutOwners}
   */
  async require(caller: Actor, policies: PolicyVersion): Promise<void> {
    let missing: { permission: PermissionName; decision: Decision } | undefined;
    for (const owner of await this.#owners(caller)) {
      const denied = this.#firstDenied(owner, policies);
      if (!denied) return;
      missing ??= denied;
    }
    if (missing) throw new PoliciesLockOutOwners(missing.permission, missing.decision.policies);
  }

  #firstDenied(actor: Actor, policies: PolicyVersion) {
    const circumstances = { ip: currentRequest()?.ip ?? '', at: Date.now() };
    const resource = organisation(currentTenant().id);
    for (const permission of NEEDED) {
      const decision = this.authorizer.decide({ actor, permission, resource, circumstances, policies });
      if (!decision.allowed) return { permission, decision };
    }
    return undefined;
  }

  /** Whoever asks comes first, where they are one. */
  async #owners(caller: Actor): Promise<Actor[]> {
    const rows = await this.database.query<{ id: string }>({
      text: `SELECT id FROM users WHERE role = 'Owner' AND status = 'active'
        ORDER BY id::text = $1 DESC, id LIMIT ${OWNERS_LOOKED_AT}`,
      values: [caller.userId ?? caller.id],
    });
    const owners: Actor[] = [];
    for (const { id } of rows) {
      const owner = await this.actors.find(id);
      if (owner) owners.push({ ...owner, mfaAt: Date.now() });
    }
    return owners;
  }
}
