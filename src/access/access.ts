import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import type { TenantRef } from '../platform/database/index.js';
import { currentRequest, type Actor, type RequestContext } from '../platform/http/request-context.js';
import { HiddenResource, PermissionDenied } from './access.errors.js';
import { Authorizer, type Decision, type Question, type Readable } from './authorizer.js';
import type { RowKind } from './condition.js';
import { OrganisationPolicies } from './organisation-policies.js';
import type { PermissionName } from './permissions.js';
import { NO_POLICIES, type PolicyVersion } from './policy-sets.js';
import { nameOf, organisation, wholeOf, type Resource } from './resource.js';
import { ResourceTree } from './resource-tree.js';

/** Asks the authorizer for requests, with what their organisation says itself. */
@Injectable()
export class Access {
  constructor(
    private readonly authorizer: Authorizer,
    private readonly tree: ResourceTree,
    private readonly policies: OrganisationPolicies,
  ) {}

  /** Lets the request pass, or throws. What is in memory is decided at once. */
  admit(request: RequestContext, permission: PermissionName, resource: Resource): true | Promise<true> {
    const policies = this.policies.remembered(request.actor);
    if (policies) return this.#admit(request, permission, resource, policies);
    return this.#inForce(request).then((read) => this.#admit(request, permission, resource, read));
  }

  /** The same for what the request names; nobody learns of what they may not read whether it is there. */
  admitOn(
    request: RequestContext,
    permission: PermissionName,
    { kind, id, by }: Named,
  ): true | Promise<true> {
    const { tenant } = request;
    if (!tenant) return this.admit(request, permission, wholeOf(undefined));
    const resource = this.tree.remembered(tenant, kind, id);
    const policies = this.policies.remembered(request.actor);
    if (!resource || !policies) return this.#admitOn(request, tenant, permission, { kind, id, by });
    return this.#admitNamed(request, permission, resource, kind, policies);
  }

  /** Lets a list pass of which something may be read, and notes what. */
  admitRows(request: RequestContext, permission: PermissionName, kind: RowKind): true | Promise<true> {
    const policies = this.policies.remembered(request.actor);
    if (policies) return this.#admitRows(request, permission, kind, policies);
    return this.#inForce(request).then((read) => this.#admitRows(request, permission, kind, read));
  }

  /** Whether the caller of the request that is being served may do something else too. */
  async decide(actor: Actor, permission: PermissionName, resource: Resource): Promise<Decision> {
    const request = currentRequest();
    if (!request) throw new Error('No request is being served.');
    const policies = await this.#inForce(request);
    return this.authorizer.decide({ ...questionOf(request, permission, resource), actor, policies });
  }

  /** @throws {PermissionDenied} */
  async require(permission: PermissionName, resource: Resource): Promise<void> {
    const request = currentRequest();
    if (!request) throw new Error('No request is being served.');
    await this.admit(request, permission, resource);
  }

  /** Has the event of the request say what was refused, beyond what its route asks for. */
  noteRefused(permission: PermissionName, resource: Resource, decision: Decision): void {
    const request = currentRequest();
    if (request) note(request, permission, resource, decision);
  }

  #inForce({ tenant, actor }: RequestContext): Promise<PolicyVersion> {
    return tenant ? this.policies.of(tenant, actor.access?.policies ?? 0) : Promise.resolve(NO_POLICIES);
  }

  async #admitOn(
    request: RequestContext,
    tenant: TenantRef,
    permission: PermissionName,
    { kind, id, by }: Named,
  ): Promise<true> {
    const policies = await this.#inForce(request);
    const resource = await this.tree.find(tenant, kind, id.toLowerCase());
    if (resource) return this.#admitNamed(request, permission, resource, kind, policies);
    const whole = { ...questionOf(request, permission, organisation(tenant.id)), policies };
    // Whoever may do it everywhere is told what is wrong with the body by whoever reads it.
    const passes = by === 'body' && this.authorizer.decide(whole).allowed;
    // Who may never do it is told so, and of nobody is it told what is there.
    if (passes || !this.authorizer.holdsAnywhere(whole))
      return this.#admit(request, permission, whole.resource, policies);
    note(request, permission, undefined, { allowed: false, policies: [] });
    throw new HiddenResource(kind, permission);
  }

  #admitNamed(
    request: RequestContext,
    permission: PermissionName,
    resource: Resource,
    kind: RowKind,
    policies: PolicyVersion,
  ): true {
    const question = { ...questionOf(request, permission, resource), policies };
    const decision = this.authorizer.decide(question);
    note(request, permission, resource, decision);
    if (decision.allowed) return true;
    const reading = { ...question, permission: READING[kind] };
    if (this.authorizer.decide(reading).allowed || !this.authorizer.holdsAnywhere(question))
      throw denied(request, permission, resource, decision);
    throw new HiddenResource(kind, permission);
  }

  #admit(
    request: RequestContext,
    permission: PermissionName,
    resource: Resource,
    policies: PolicyVersion,
  ): true {
    const decision = this.authorizer.decide({ ...questionOf(request, permission, resource), policies });
    note(request, permission, resource, decision);
    if (!decision.allowed) throw denied(request, permission, resource, decision);
    return true;
  }

  #admitRows(
    request: RequestContext,
    permission: PermissionName,
    kind: RowKind,
    policies: PolicyVersion,
  ): true {
    const question = { ...questionOf(request, permission, wholeOf(request.tenant?.id)), policies };
    const readable: Readable = this.authorizer.readable(question, kind);
    note(request, permission, undefined, { allowed: true, policies: readable.policies });
    if (readable.condition === false)
      throw denied(request, permission, question.resource, { allowed: false, policies: readable.policies });
    request.readable = { kind, condition: readable.condition };
    return true;
  }
}

/** What a request is about, and which part of it says so. */
export interface Named {
  readonly kind: RowKind;
  readonly id: string;
  readonly by: 'path' | 'body';
}

/** What has to be allowed on something so that its being there is no secret. */
const READING: Readonly<Record<RowKind, PermissionName>> = {
  project: 'project:read',
  agent: 'agent:read',
  run: 'run:read',
};

function questionOf(request: RequestContext, permission: PermissionName, resource: Resource): Question {
  return {
    actor: request.actor,
    permission,
    resource,
    circumstances: { ip: request.ip, at: Date.now() },
  };
}

/** What is decided stands in the request's event. */
function note(
  request: RequestContext,
  permission: PermissionName,
  resource: Resource | undefined,
  { policies }: Decision,
): void {
  const name = resource && nameOf(resource);
  request.policies = policies;
  request.decision = { permission, ...(name && { resource: name }) };
}

function denied(
  request: RequestContext,
  permission: PermissionName,
  resource: Resource,
  { policies }: Decision,
): PermissionDenied {
  const id = uuidv7();
  const name = nameOf(resource);
  request.decision = { id, permission, ...(name && { resource: name }) };
  return new PermissionDenied(permission, id, policies.some(isOwn));
}

/** A policy that the organisation has written itself, and whose author can be asked. */
function isOwn(name: string): boolean {
  return name.startsWith('policy:');
}
