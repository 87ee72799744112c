import { Injectable } from '@nestjs/common';
import {
  firstBeyond,
  organisation,
  OrganisationPolicies,
  rankOf,
  ResourceTree,
  type Standing,
} from '../access/index.js';
import { currentTenant, TenantDatabase } from '../platform/database/index.js';
import { NO_ACCESS, type Access, type Grant } from '../platform/http/grants.js';
import type { Actor } from '../platform/http/request-context.js';
import { ACCESS_OF_ALL, accessOf, type AccessRow } from './access-of-principal.js';
import { GrantExceedsOwn } from './auth.errors.js';
import { isAbove, refuseAbove, roleOf } from './grants.js';
import type { Role } from './identity.entity.js';

/** Somebody who has a role here, and maybe grants. */
interface Holder {
  readonly id: string;
  readonly role: Role;
}

/**
 * Nobody decides over somebody who holds what they do not hold themselves: whoever resets a password, or rotates a secret,
 * could act as its owner. Roles, grants, groups and what policies permit count alike.
 */
@Injectable()
export class Authority {
  constructor(
    private readonly database: TenantDatabase,
    private readonly tree: ResourceTree,
    private readonly policies: OrganisationPolicies,
  ) {}

  /** @throws {GrantExceedsOwn} */
  overPerson(actor: Actor, person: Holder): Promise<void> {
    return this.#over(actor, 'person', person);
  }

  /** Of a client as it is about to be, too, and of one that is not there yet. @throws {GrantExceedsOwn} */
  overClient(actor: Actor, client: Holder): Promise<void> {
    return this.#over(actor, 'client', client);
  }

  /**
   * Whether a person holds more than a role has. For what acts by itself: of whoever has set it no more than the role was kept.
   */
  async isPersonAbove(person: Holder, role: Role): Promise<boolean> {
    if (isAbove(person.role, role)) return true;
    // Nothing that is granted or permitted is more than an Admin has.
    if (!isAbove('Admin', role)) return false;
    const { id, role: own } = person;
    const standing: Standing = { kind: 'person', id, role: own, access: await this.#accessOf(id) };
    return isAbove(rankOf(standing, (await this.policies.inForce()).heads), role);
  }

  async #over(actor: Actor, kind: Standing['kind'], { id, role }: Holder): Promise<void> {
    refuseAbove(actor, role);
    const own = roleOf(actor);
    if (!isAbove('Admin', own)) return;
    const target: Standing = { kind, id, role, access: await this.#accessOf(id) };
    const holder: Standing = {
      kind: actor.type === 'client' ? 'client' : 'person',
      id: actor.userId ?? actor.id,
      role: own,
      access: actor.access ?? NO_ACCESS,
    };
    const { heads } = await this.policies.inForce();
    const { id: tenant } = currentTenant();
    const beyond = await firstBeyond(holder, target, heads, tenant, (grant) => this.#locate(grant));
    if (beyond)
      throw new GrantExceedsOwn(`or decide over the permission ${beyond}, which is held there`, beyond);
  }

  /** Whoever is not there yet was granted nothing. */
  async #accessOf(id: string): Promise<Access> {
    const [row] = await this.database.query<AccessRow & Record<string, unknown>>({
      text: ACCESS_OF_ALL,
      values: [[id]],
    });
    return row ? accessOf(row) : NO_ACCESS;
  }

  async #locate({ on: { kind, id } }: Grant) {
    const tenant = currentTenant();
    return kind === 'organisation' ? organisation(tenant.id) : this.tree.find(tenant, kind, id);
  }
}
