import { Injectable } from '@nestjs/common';
import * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import { LRUCache } from 'lru-cache';
import type { Actor } from '../platform/http/request-context.js';
import { closePermits, type Close } from './close-permits.js';
import { allOf, anyOf, conditionOf, not, type Condition, type RowKind } from './condition.js';
import { contextOf, entitiesOf, principalOf, resourceOf, treeOf, type Circumstances } from './entities.js';
import type { PermissionName } from './permissions.js';
import { NO_POLICIES, policySet, PolicySets, requireFitting, type PolicyVersion } from './policy-sets.js';
import { organisation, type Resource } from './resource.js';

export interface Decision {
  readonly allowed: boolean;
  /** The policies that decided; none when nothing permitted it. */
  readonly policies: readonly string[];
}

/** Which rows of a list may be read, and the policies that say so. */
export interface Readable {
  readonly condition: Condition;
  readonly policies: readonly string[];
}

export interface Question {
  readonly actor: Actor;
  readonly permission: PermissionName;
  readonly resource: Resource;
  readonly circumstances: Circumstances;
  readonly policies?: PolicyVersion;
}

const NOTHING: Decision = { allowed: false, policies: [] };
const NO_ROWS: Readable = { condition: false, policies: [] };
const DECISIONS_IN_MEMORY = 100_000;
const LISTS_IN_MEMORY = 10_000;

/**
 * What an owner can do whatever the organisation's own policies say: sign in, prove the password, read the policies, and go
 * back to others. Nobody can lock an organisation out of its own rules.
 */
export const KEPT_BY_OWNERS: ReadonlySet<PermissionName> = new Set([
  'profile:read',
  'session:end',
  'session:step_up',
  'second_factor:read',
  'second_factor:manage',
  'access:explain',
  'access_policy:read',
  'access_policy:roll_back',
]);

/** Who may do what. Cedar decides, and nothing else does. */
@Injectable()
export class Authorizer {
  readonly #sets = new PolicySets();
  /** An actor's object is made anew whenever its role, grants, scopes or policies may have changed: its number stands for all of them. */
  readonly #numbers = new WeakMap<Actor, number>();
  #actors = 0;
  readonly #decisions = new LRUCache<string, Decision>({ max: DECISIONS_IN_MEMORY });
  readonly #lists = new LRUCache<string, Readable>({ max: LISTS_IN_MEMORY });

  constructor() {
    requireFitting();
  }

  decide(question: Question): Decision {
    const policies = inForce(question);
    if (policies.circumstantial) return this.#evaluate(question, policies);
    const { actor, permission, resource } = question;
    const key = `${this.#numberOf(actor)} ${permission} ${resource.key} ${policies.key}`;
    const known = this.#decisions.get(key);
    if (known) return known;
    const decision = this.#evaluate(question, policies);
    this.#decisions.set(key, decision);
    return decision;
  }

  /** Which rows of a list somebody may read: what Cedar leaves open when it knows everything but the row. */
  readable(question: Question, kind: RowKind): Readable {
    const policies = inForce(question);
    if (policies.circumstantial) return partial(question, policies, kind);
    const key = `${this.#numberOf(question.actor)} ${question.permission} ${kind} ${policies.key}`;
    const known = this.#lists.get(key);
    if (known) return known;
    const readable = partial(question, policies, kind);
    this.#lists.set(key, readable);
    return readable;
  }

  /**
   * Whether somebody has a permission anywhere: in the organisation, on something that they were granted a role on, or in a
   * project that their key is for.
   */
  holdsAnywhere(question: Question): boolean {
    const { actor } = question;
    if (this.decide({ ...question, resource: wholeOfActor(question) }).allowed) return true;
    const grants = actor.access?.grants ?? [];
    const projects = (actor.projects ?? []).map((id) => ({ kind: 'project', id }) as const);
    return [...grants.map(({ on }) => on), ...projects].some(({ kind, id }) => {
      const resource = grantedOn(question, kind, id);
      return this.decide({ ...question, resource }).allowed;
    });
  }

  /** The permits that would decide but for one thing: what forbids it, whom or what they are for, or their condition. */
  close(question: Question): Close[] {
    return closePermits(question, inForce(question));
  }

  #evaluate({ actor, permission, resource, circumstances }: Question, policies: PolicyVersion): Decision {
    const principal = principalOf(actor);
    if (!principal) return NOTHING;
    const answer = cedar.statefulIsAuthorized({
      principal,
      action: { type: 'Action', id: permission },
      resource: resourceOf(resource),
      context: contextOf(permission, circumstances),
      preparsedPolicySetId: this.#sets.named(actor, policies),
      entities: [...entitiesOf(actor, principal, permission), ...treeOf(resource)],
    });
    // What cannot be evaluated is not allowed.
    if (answer.type === 'failure' || answer.response.diagnostics.errors.length > 0) return NOTHING;
    const { decision, diagnostics } = answer.response;
    return { allowed: decision === 'allow', policies: diagnostics.reason.toSorted() };
  }

  #numberOf(actor: Actor): number {
    let number = this.#numbers.get(actor);
    if (number === undefined) {
      number = this.#actors += 1;
      this.#numbers.set(actor, number);
    }
    return number;
  }
}

/** The organisation's own policies, but where they would keep its owners from changing them. */
function inForce({ actor, permission, policies = NO_POLICIES }: Question): PolicyVersion {
  return KEPT_BY_OWNERS.has(permission) && actor.roles.includes('Owner') ? NO_POLICIES : policies;
}

function wholeOfActor({ actor, resource }: Question): Resource {
  return actor.tenant === undefined ? resource : organisation(actor.tenant);
}

/** What a grant names, as bare as it stands in it: a role on a project is a role on it whatever its labels. */
function grantedOn({ actor }: Question, kind: 'organisation' | 'project' | 'agent', id: string): Resource {
  const { tenant } = actor;
  const node = { id, environment: null, tags: [] };
  const key = `${tenant} granted ${kind} ${id}`;
  if (kind === 'organisation') return { tenant, key };
  return kind === 'project'
    ? { tenant, project: node, key }
    : { tenant, project: { ...node, id: '' }, agent: node, key };
}

function partial(
  { actor, permission, circumstances }: Question,
  policies: PolicyVersion,
  kind: RowKind,
): Readable {
  const principal = principalOf(actor);
  const { tenant } = actor;
  if (!principal || tenant === undefined) return NO_ROWS;
  const answer = cedar.isAuthorizedPartial({
    principal,
    action: { type: 'Action', id: permission },
    resource: null,
    context: contextOf(permission, circumstances),
    policies: policySet(actor, policies),
    entities: entitiesOf(actor, principal, permission),
  });
  if (answer.type === 'failure' || answer.response.errored.length > 0) return NO_ROWS;
  const permits: Condition[] = [];
  const forbids: Condition[] = [];
  const names: string[] = [];
  for (const [name, policy] of Object.entries(answer.response.residuals)) {
    const condition = conditionOf(policy, kind, tenant);
    if (condition === false) continue;
    names.push(name);
    (policy.effect === 'permit' ? permits : forbids).push(condition);
  }
  return {
    condition: allOf([anyOf(permits), ...forbids.map(not)]),
    policies: names.toSorted(),
  };
}
