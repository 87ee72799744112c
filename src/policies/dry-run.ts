import { setImmediate as nextTurn } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import {
  Authorizer,
  isPermission,
  organisation,
  ResourceTree,
  type PolicyVersion,
  type Question,
  type Resource,
} from '../access/index.js';
import { SearchLog, type AuditEventDto } from '../audit/index.js';
import { ActorOfPerson } from '../auth/index.js';
import { auditDetails, type Actor, type RequestTenant } from '../platform/http/request-context.js';
import type { DryRunResultDto } from './policies.dto.js';
import { Policies } from './policies.js';

const PAGE = 200;
const DECISIONS_AT_ONCE = 20;
/** Of a log in which few events are decisions no more is read than this. */
const PAGES = 20;

/**
 * What would have been decided otherwise: the last decisions of the log, made again with the policies in force and with
 * others, of the people as they are now, from where and when it was asked. When a second factor was proved no event says.
 */
@Injectable()
export class DryRun {
  constructor(
    private readonly policies: Policies,
    private readonly log: SearchLog,
    private readonly authorizer: Authorizer,
    private readonly actors: ActorOfPerson,
    private readonly tree: ResourceTree,
  ) {}

  async execute(tenant: RequestTenant, version: number, last: number): Promise<DryRunResultDto> {
    const tried = await this.policies.version(version);
    const inForce = await this.policies.inForce();
    auditDetails({ resource: { type: 'access_policies', id: String(version) }, changes: { last } });
    const people = new Map<string, Actor | undefined>();
    const result: DryRunResultDto = { looked: 0, skipped: 0, changed: [] };
    for (const [at, event] of (await this.#decisions(tenant, last)).entries()) {
      // Others are served in between.
      if (at % DECISIONS_AT_ONCE === 0) await nextTurn();
      const question = await this.#question(tenant, event, people);
      if (!question) result.skipped += 1;
      else this.#compare(event, question, { inForce, tried }, result);
    }
    return result;
  }

  #compare(
    event: AuditEventDto,
    question: Question,
    { inForce, tried }: { inForce: PolicyVersion; tried: PolicyVersion },
    result: DryRunResultDto,
  ): void {
    result.looked += 1;
    const before = this.authorizer.decide({ ...question, policies: inForce });
    const after = this.authorizer.decide({ ...question, policies: tried });
    if (before.allowed === after.allowed) return;
    const { resource } = event.decision ?? {};
    result.changed.push({
      seq: event.seq,
      at: event.at,
      actor: event.actor.id,
      permission: question.permission,
      ...(resource && { resource: `${resource.type} ${resource.id}` }),
      before: before.allowed ? 'allowed' : 'denied',
      after: after.allowed ? 'allowed' : 'denied',
      policies: [...after.policies],
    });
  }

  /** The newest first. */
  async #decisions(tenant: RequestTenant, last: number): Promise<AuditEventDto[]> {
    const found: AuditEventDto[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < PAGES && found.length < last; page += 1) {
      const { items, nextCursor } = await this.log.execute(tenant, {
        limit: PAGE,
        ...(cursor !== undefined && { cursor }),
      });
      found.push(...items.filter(({ decision }) => decision));
      if (nextCursor === undefined) break;
      cursor = nextCursor;
    }
    return found.slice(0, last);
  }

  /** A key is looked at as its person: what it is limited to no event says. */
  async #question(
    tenant: RequestTenant,
    { actor: { type, id, userId }, decision, at, personal }: AuditEventDto,
    people: Map<string, Actor | undefined>,
  ): Promise<Question | undefined> {
    const person = type === 'user' ? id : userId;
    if (person === undefined || !decision || !isPermission(decision.permission)) return undefined;
    if (!people.has(person)) people.set(person, await this.actors.find(person));
    const actor = people.get(person);
    const resource = await this.#resource(tenant, decision.resource);
    if (!actor || !resource) return undefined;
    const ip = personal?.['ip'];
    const circumstances = { ip: typeof ip === 'string' ? ip : '', at: Date.parse(at) };
    return { actor, permission: decision.permission, resource, circumstances };
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
