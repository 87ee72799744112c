import { Injectable } from '@nestjs/common';
import {
  isInTheTree,
  isPermission,
  organisation,
  ResourceTree,
  type Question,
  type Resource,
} from '../access/index.js';
import type { AuditEventDto } from '../audit/index.js';
import { ActorOfCredential, ActorOfPerson } from '../auth/index.js';
import type { Actor, RequestTenant } from '../platform/http/request-context.js';

/** Lists of what is in the tree are decided on row by row, and no event names a row. */
const LISTED = { 'project:read': 'project', 'agent:read': 'agent', 'run:read': 'run' } as const;
type Listed = (typeof LISTED)[keyof typeof LISTED];

/** A decision as it can be made again. */
export interface PastDecision {
  readonly question: Question;
  /** What a list is of, where it was one. */
  readonly listed?: Listed;
}

/** Why it cannot. */
export type Unrepeatable = 'principalGone' | 'resourceGone' | 'permissionGone';

/** Who has asked, by what they were: found once for all that they have asked. */
export type Principals = Map<string, Actor | undefined>;

/** Decisions of the log, as they would be put now: by who asked as they are now, from where and when it was asked. */
@Injectable()
export class PastDecisions {
  constructor(
    private readonly people: ActorOfPerson,
    private readonly credentials: ActorOfCredential,
    private readonly tree: ResourceTree,
  ) {}

  async rebuild(
    tenant: RequestTenant,
    { actor: by, decision, at, personal, reason }: AuditEventDto,
    known: Principals,
  ): Promise<PastDecision | Unrepeatable> {
    if (!decision || !isPermission(decision.permission)) return 'permissionGone';
    const { permission, resource: named } = decision;
    const key = `${by.type} ${by.id}`;
    if (!known.has(key)) known.set(key, await this.#principal(tenant, by));
    const actor = known.get(key);
    if (!actor) return 'principalGone';
    // Of what was not there, or was not to be seen, the event does not say what it was.
    if (!named && reason === 'NOT_FOUND' && isInTheTree(permission)) return 'resourceGone';
    const resource = await this.#resource(tenant, named);
    if (!resource) return 'resourceGone';
    const ip = personal?.['ip'];
    const circumstances = { ip: typeof ip === 'string' ? ip : '', at: Date.parse(at) };
    const question = { actor, permission, resource, circumstances };
    return !named && isListed(permission) ? { question, listed: LISTED[permission] } : { question };
  }

  async #principal(tenant: RequestTenant, { type, id }: AuditEventDto['actor']): Promise<Actor | undefined> {
    switch (type) {
      case 'user':
        return this.people.find(id);
      case 'api_key':
        return this.credentials.apiKey(id);
      case 'client':
        return this.credentials.client(id);
      case 'support':
        return this.credentials.support(id);
      // They have no rights but those of what they are.
      case 'directory':
      case 'transmitter':
        return { type, id, tenant: tenant.id, roles: [] };
      default:
        return undefined;
    }
  }

  async #resource(
    tenant: RequestTenant,
    named: { type: string; id: string } | undefined,
  ): Promise<Resource | undefined> {
    if (!named) return organisation(tenant.id);
    const { type, id } = named;
    return type === 'project' || type === 'agent' ? this.tree.find(tenant, type, id) : undefined;
  }
}

function isListed(permission: string): permission is keyof typeof LISTED {
  return Object.hasOwn(LISTED, permission);
}
