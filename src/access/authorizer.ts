import { Injectable } from '@nestjs/common';
import * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import type { TenantId } from '../platform/database/index.js';
import type { Actor } from '../platform/http/request-context.js';
import { DEFAULT_POLICIES, SCHEMA } from './default-policies.js';
import { includedScopes, PERMISSIONS, type PermissionName } from './permissions.js';

export interface Decision {
  readonly allowed: boolean;
  /** The policies that decided; none when nothing permitted it. */
  readonly policies: readonly string[];
}

const POLICY_SET = 'default';
const SCHEMA_NAME = 'waxell';
/** Each role is a member of the one below it: an Owner can do what an Admin can. */
const ROLE_PARENTS: Record<string, string | undefined> = {
  Owner: 'Admin',
  Admin: 'Developer',
  Developer: 'Viewer',
};

/** Who may do what. Cedar decides, and nothing else does. */
@Injectable()
export class Authorizer {
  /** By the actor's object: it is made anew whenever its roles or scopes may have changed, and its decisions go with it. */
  readonly #decisions = new WeakMap<Actor, Map<string, Decision>>();

  constructor() {
    loadPolicies();
  }

  decide(actor: Actor, permission: PermissionName, tenant: TenantId | undefined): Decision {
    const known = this.#decisions.get(actor) ?? new Map<string, Decision>();
    const key = `${permission} ${tenant ?? ''}`;
    const decision = known.get(key) ?? evaluate(actor, permission, tenant);
    known.set(key, decision);
    this.#decisions.set(actor, known);
    return decision;
  }
}

function loadPolicies(): void {
  const policies = { staticPolicies: { ...DEFAULT_POLICIES } };
  const checked = cedar.validate({ schema: SCHEMA, policies });
  if (checked.type === 'failure')
    throw new Error(`The policies cannot be read: ${checked.errors[0]?.message}`);
  const [wrong] = checked.validationErrors;
  if (wrong) throw new Error(`Policy ${wrong.policyId} does not fit the schema: ${wrong.error.message}`);
  for (const answer of [
    cedar.preparsePolicySet(POLICY_SET, policies),
    cedar.preparseSchema(SCHEMA_NAME, SCHEMA),
  ]) {
    if (answer.type === 'failure')
      throw new Error(`The policies cannot be loaded: ${answer.errors[0]?.message}`);
  }
}

function evaluate(actor: Actor, permission: PermissionName, tenant: TenantId | undefined): Decision {
  if (actor.type === 'anonymous' || actor.type === 'system') return { allowed: false, policies: [] };
  const principal = { type: PRINCIPAL_TYPES[actor.type], id: actor.id };
  const resource = tenant ? { type: 'Organisation', id: tenant } : { type: 'Installation', id: 'waxell' };
  const answer = cedar.statefulIsAuthorized({
    principal,
    action: { type: 'Action', id: permission },
    resource,
    context: { scope: PERMISSIONS[permission].scope },
    preparsedPolicySetId: POLICY_SET,
    preparsedSchemaName: SCHEMA_NAME,
    validateRequest: true,
    entities: entitiesOf(actor, principal, resource),
  });
  // What cannot be evaluated is not allowed.
  if (answer.type === 'failure') return { allowed: false, policies: [] };
  const { decision, diagnostics } = answer.response;
  if (diagnostics.errors.length > 0) return { allowed: false, policies: [] };
  return { allowed: decision === 'allow', policies: diagnostics.reason };
}

const PRINCIPAL_TYPES = { user: 'User', api_key: 'ApiKey', client: 'Client', operator: 'Operator' } as const;

function entitiesOf(actor: Actor, principal: cedar.TypeAndId, resource: cedar.TypeAndId): cedar.Entities {
  const roles = Object.keys({ Owner: 1, Admin: 1, Developer: 1, Viewer: 1 }).map((role) => {
    const parent = ROLE_PARENTS[role];
    return {
      uid: { type: 'Role', id: role },
      attrs: {},
      parents: parent ? [{ type: 'Role', id: parent }] : [],
    };
  });
  const belongs =
    actor.type === 'operator'
      ? {}
      : { organisation: { __entity: { type: 'Organisation', id: actor.tenant ?? '' } } };
  const scoped = actor.type === 'api_key' || actor.type === 'client';
  const limited = scoped ? { scopes: includedScopes(actor.scopes ?? []) } : {};
  return [
    {
      uid: principal,
      attrs: { ...belongs, ...limited },
      parents: actor.roles.map((role) => ({ type: 'Role', id: role })),
    },
    ...roles,
    { uid: resource, attrs: {}, parents: [] },
  ];
}
