import * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import { LRUCache } from 'lru-cache';
import type { Grant } from '../platform/http/grants.js';
import type { Actor } from '../platform/http/request-context.js';
import { DEFAULT_POLICIES, SCHEMA } from './default-policies.js';
import { DEFAULT_ROLES } from './permissions.js';
import type { PolicyHead } from './policy-heads.js';

/** An organisation's own policies in one version, by the names under which decisions report them. */
export interface PolicyVersion {
  /** Tells it from every other version of any organisation; empty where there are none. */
  readonly key: string;
  readonly policies: Readonly<Record<string, string>>;
  /** Whether any of them looks at more than who, what and on what, such as the time. */
  readonly circumstantial: boolean;
  /** Whom and what each is about, in the order of the text. */
  readonly heads: readonly PolicyHead[];
}

export const NO_POLICIES: PolicyVersion = { key: '', policies: {}, circumstantial: false, heads: [] };

/** A set that is read by Cedar once keeps about 16 KiB there; the least used makes room. */
const SETS_IN_MEMORY = 1_024;

/**
 * The policies that decide over somebody: the default ones, those of their organisation, and a link of a template for each
 * grant that they hold. Cedar keeps what it has read under a name of ours and never lets go of it, so names are used again.
 */
export class PolicySets {
  readonly #slots: LRUCache<string, string>;
  readonly #free: string[] = [];
  #made = 0;

  constructor(max = SETS_IN_MEMORY) {
    this.#slots = new LRUCache({ max, dispose: (slot) => this.#free.push(slot) });
  }

  /** The name of the set under which Cedar has read it. */
  named(actor: Actor, version: PolicyVersion): string {
    const grants = actor.access?.grants ?? [];
    const key =
      grants.length === 0 ? version.key : `${version.key} ${JSON.stringify([subjectOf(actor), grants])}`;
    const known = this.#slots.get(key);
    if (known !== undefined) return known;
    const slot = this.#free.pop() ?? `set-${(this.#made += 1)}`;
    const read = cedar.preparsePolicySet(slot, policySet(actor, version));
    if (read.type === 'failure') {
      this.#free.push(slot);
      throw new Error(`Policies cannot be read: ${read.errors[0]?.message}`);
    }
    this.#slots.set(key, slot);
    return slot;
  }
}

/** All that decides over somebody, as Cedar takes it. */
export function policySet(actor: Actor, { policies }: PolicyVersion): cedar.PolicySet {
  const grants = actor.access?.grants ?? [];
  return {
    staticPolicies: { ...DEFAULT_POLICIES, ...policies },
    ...(grants.length > 0 && {
      templates: Object.fromEntries(grants.map((grant) => [`role:${grant.role}`, templateOf(grant)])),
      templateLinks: grants.map((grant) => ({
        templateId: `role:${grant.role}`,
        newId: `grant:${grant.id}`,
        values: { '?principal': subjectOf(actor), '?resource': entityOf(grant) },
      })),
    }),
  };
}

/** Throws where the default policies do not fit the schema: an application with a hole in it does not start. */
export function requireFitting(): void {
  const checked = cedar.validate({ schema: SCHEMA, policies: { staticPolicies: { ...DEFAULT_POLICIES } } });
  if (checked.type === 'failure')
    throw new Error(`The policies cannot be read: ${checked.errors[0]?.message}`);
  const [wrong] = checked.validationErrors;
  if (wrong) throw new Error(`Policy ${wrong.policyId} does not fit the schema: ${wrong.error.message}`);
}

/** A key acts within what its person was granted. */
function subjectOf({ type, id, userId }: Actor): cedar.TypeAndId {
  if (type === 'client') return { type: 'Client', id };
  return { type: 'User', id: userId ?? id };
}

const TYPES = { organisation: 'Organisation', project: 'Project', agent: 'Agent' } as const;

function entityOf({ on: { kind, id } }: Grant): cedar.TypeAndId {
  return { type: TYPES[kind], id };
}

/** A role as a template: what it has, for whom and on what the grant says. */
function templateOf({ role, permissions }: Grant): string {
  const actions = permissions ?? rolesUpTo(role).map((one) => one.toLowerCase());
  const named = actions.map((action) => `Action::${JSON.stringify(action)}`).join(', ');
  return `permit (principal in ?principal, action in [${named}], resource in ?resource);`;
}

function rolesUpTo(role: string): readonly string[] {
  return DEFAULT_ROLES.slice(0, DEFAULT_ROLES.findIndex((one) => one === role) + 1);
}
