import { Injectable } from '@nestjs/common';
import {
  Access,
  Authorizer,
  leastRole,
  OrganisationPolicies,
  organisation,
  ResourceTree,
  type Question,
  type Resource,
} from '../access/index.js';
import { ActorOfPerson } from '../auth/index.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import {
  auditDetails,
  currentRequest,
  type Actor,
  type RequestTenant,
} from '../platform/http/request-context.js';
import type { ExplainDto, ExplanationDto } from './explain.dto.js';

/** Why somebody may do something, or what keeps them from it. */
@Injectable()
export class Explain {
  constructor(
    private readonly access: Access,
    private readonly authorizer: Authorizer,
    private readonly policies: OrganisationPolicies,
    private readonly actors: ActorOfPerson,
    private readonly tree: ResourceTree,
  ) {}

  async execute(actor: Actor, tenant: RequestTenant, asked: ExplainDto): Promise<ExplanationDto> {
    const { permission } = asked;
    const who = await this.#who(actor, tenant, asked);
    const question: Question = {
      actor: who,
      permission,
      resource: await this.#resource(actor, tenant, asked),
      circumstances: {
        ip: asked.ip ?? currentRequest()?.ip ?? '',
        at: asked.at === undefined ? Date.now() : Date.parse(asked.at),
      },
      policies: await this.policies.of(tenant, who.access?.policies ?? 0),
    };
    const { allowed, policies } = this.authorizer.decide(question);
    const role = leastRole(permission);
    const version = who.access?.policies ?? 0;
    auditDetails({ resource: { type: 'user', id: who.userId ?? who.id }, changes: { permission, allowed } });
    return {
      allowed,
      ...(version > 0 && { version }),
      policies: [...policies],
      close: allowed ? [] : this.authorizer.close(question).map((close) => ({ ...close })),
      ...(role !== undefined && { role }),
    };
  }

  /** Own questions are anybody's; those about others need that people may be read. */
  async #who(actor: Actor, tenant: RequestTenant, { userId, mfaAt }: ExplainDto): Promise<Actor> {
    const own = userId === undefined || userId === (actor.userId ?? actor.id);
    if (!own) await this.access.require('user:read', organisation(tenant.id));
    const who = own ? actor : await this.actors.find(userId);
    if (!who) throw new ResourceNotFound('user');
    return mfaAt === undefined ? who : { ...who, mfaAt: Date.parse(mfaAt) };
  }

  /** Of what the caller may not read nobody is told whether it is there. */
  async #resource(actor: Actor, tenant: RequestTenant, { resource }: ExplainDto): Promise<Resource> {
    if (!resource) return organisation(tenant.id);
    const { type, id } = resource;
    const found = await this.tree.find(tenant, type, id);
    const readable = found && (await this.access.decide(actor, `${type}:read`, found)).allowed;
    if (!readable) throw new ResourceNotFound(type);
    return found;
  }
}
