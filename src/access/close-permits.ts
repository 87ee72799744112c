import * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import { contextOf, entitiesOf, principalOf, resourceOf, treeOf, type Circumstances } from './entities.js';
import type { PermissionName } from './permissions.js';
import { policySet, type PolicyVersion } from './policy-sets.js';
import type { Actor } from '../platform/http/request-context.js';
import type { Resource } from './resource.js';

/** A permit that would decide but for one thing. */
export interface Close {
  readonly policy: string;
  readonly butFor: 'principal' | 'resource' | 'condition' | 'forbidden';
}

interface Asked {
  readonly actor: Actor;
  readonly permission: PermissionName;
  readonly resource: Resource;
  readonly circumstances: Circumstances;
}

const ANY = { op: 'All' } as const;
/** What is taken away from a permit, one thing at a time. */
const WITHOUT: Readonly<Record<Exclude<Close['butFor'], 'forbidden'>, Partial<cedar.PolicyJson>>> = {
  condition: { conditions: [] },
  resource: { resource: ANY },
  principal: { principal: ANY },
};

/** Asks Cedar of each permit that is about the action whether it would permit without one of its parts. */
export function closePermits(asked: Asked, version: PolicyVersion): Close[] {
  const found: Close[] = [];
  for (const [policy, json] of permitsOf(asked.actor, version)) {
    if (permits(asked, json)) found.push({ policy, butFor: 'forbidden' });
    else
      for (const [butFor, without] of Object.entries(WITHOUT))
        if (permits(asked, { ...json, ...without })) {
          found.push({ policy, butFor: butFor as Close['butFor'] });
          break;
        }
  }
  return found;
}

/** Those of the organisation and of everybody as they are written, and each grant as the policy that it makes. */
function permitsOf(actor: Actor, version: PolicyVersion): [string, cedar.PolicyJson][] {
  const { staticPolicies = {}, templates = {}, templateLinks = [] } = policySet(actor, version);
  const written = Object.entries(staticPolicies as Record<string, string>).map(
    ([name, text]): [string, cedar.PolicyJson] => [name, jsonOf(cedar.policyToJson(text))],
  );
  const granted = templateLinks.map(({ templateId, newId, values }): [string, cedar.PolicyJson] => {
    const json = jsonOf(cedar.templateToJson(templates[templateId] ?? ''));
    const linked = (slot: string): { op: 'in'; entity: cedar.EntityUidJson } => ({
      op: 'in',
      entity: values[slot] ?? { type: 'Nothing', id: '' },
    });
    return [newId, { ...json, principal: linked('?principal'), resource: linked('?resource') }];
  });
  return [...written, ...granted].filter(([, { effect }]) => effect === 'permit');
}

function jsonOf(answer: cedar.PolicyToJsonAnswer): cedar.PolicyJson {
  if (answer.type === 'failure') throw new Error(`A policy cannot be read: ${answer.errors[0]?.message}`);
  return answer.json;
}

function permits({ actor, permission, resource, circumstances }: Asked, policy: cedar.PolicyJson): boolean {
  const principal = principalOf(actor);
  if (!principal) return false;
  const answer = cedar.isAuthorized({
    principal,
    action: { type: 'Action', id: permission },
    resource: resourceOf(resource),
    context: contextOf(permission, circumstances),
    policies: { staticPolicies: { asked: policy } },
    entities: [...entitiesOf(actor, principal, permission), ...treeOf(resource)],
  });
  return answer.type === 'success' && answer.response.decision === 'allow';
}
