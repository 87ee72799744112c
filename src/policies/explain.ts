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
import { ActorOfCredential, ActorOfPerson } from '../auth/index.js';
import { InvalidRequest, ResourceNotFound } from '../platform/http/errors.js';
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
    private readonly people: ActorOfPerson,
    private readonly credentials: ActorOfCredential,
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
    auditDetails({ resource: named(asked, who), changes: { permission, allowed } });
    return {
      allowed,
      ...(version > 0 && { version }),
      policies: [...policies],
      close: allowed ? [] : this.authorizer.close(question).map((close) => ({ ...close })),
      ...(role !== undefined && { role }),
      ...(who.access?.cut && { grantsLeftOut: true as const }),
    };
  }

  /** Own questions are anybody's; those about others are for who looks after them. */
  async #who(actor: Actor, tenant: RequestTenant, asked: ExplainDto): Promise<Actor> {
    const { userId, apiKeyId, clientId, mfaAt } = asked;
    if ([userId, apiKeyId, clientId].filter((one) => one !== undefined).length > 1)
      throw new InvalidRequest([{ pointer: '', detail: 'name one of userId, apiKeyId and clientId' }]);
    const who = await this.#named(actor, organisation(tenant.id), asked);
    if (!who) throw new ResourceNotFound(kindOf(asked));
    return mfaAt === undefined ? who : { ...who, mfaAt: Date.parse(mfaAt) };
  }

  async #named(
    actor: Actor,
    whole: Resource,
    { userId, apiKeyId, clientId }: ExplainDto,
  ): Promise<Actor | undefined> {
    const own = [userId, apiKeyId, clientId].every((id) => id === undefined || id === actor.id);
    if (own || (userId !== undefined && userId === actor.userId)) return actor;
    if (clientId !== undefined) {
      await this.access.require('oauth_client:manage', whole);
      return this.credentials.client(clientId);
    }
    await this.access.require('user:read', whole);
    if (userId !== undefined) return this.people.find(userId);
    await this.access.require('api_key:revoke', whole);
    return this.credentials.apiKey(apiKeyId ?? '');
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

function kindOf({ apiKeyId, clientId }: ExplainDto): string {
  if (apiKeyId !== undefined) return 'API key';
  return clientId === undefined ? 'user' : 'client';
}

function named({ apiKeyId, clientId }: ExplainDto, who: Actor): { type: string; id: string } {
  if (apiKeyId !== undefined) return { type: 'api_key', id: apiKeyId };
  if (clientId !== undefined) return { type: 'oauth_client', id: clientId };
  return { type: 'user', id: who.userId ?? who.id };
}
