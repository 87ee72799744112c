import * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import { ORGANISATION_SCHEMA } from './default-policies.js';
import { headOf } from './policy-heads.js';
import type { PolicyVersion } from './policy-sets.js';

/** One policy of a text, taken apart. */
export interface ParsedPolicy {
  readonly text: string;
  readonly json: cedar.PolicyJson;
}

/** What Cedar has to say against a text, and from which byte of it. */
export interface PolicyError {
  readonly message: string;
  readonly help?: string;
  readonly start?: number;
}

/**
 * Why a text cannot be read, or does not fit what an organisation may speak of; nothing where it does. A policy that can
 * never apply is wrong as well: whoever wrote it believes that it does.
 */
export function policyErrors(text: string): PolicyError[] {
  const parts = cedar.policySetTextToParts(text);
  if (parts.type === 'failure') return parts.errors.map(policyError);
  if (parts.policy_templates.length > 0)
    return [{ message: 'templates are not policies: name whom and what each is about' }];
  const checked = cedar.validate({ schema: ORGANISATION_SCHEMA, policies: { staticPolicies: text } });
  if (checked.type === 'failure') return checked.errors.map(policyError);
  const found = checked.validationErrors.length > 0 ? checked.validationErrors : checked.validationWarnings;
  return found.map(({ error }) => policyError(error));
}

function policyError({ message, help, sourceLocations }: cedar.DetailedError): PolicyError {
  const start = sourceLocations?.[0]?.start;
  return {
    message: message.replaceAll(/^failed to parse policies from string: |for policy `policy\d+`, /g, ''),
    ...(help !== null && { help }),
    ...(start !== undefined && { start }),
  };
}

/** The policies of a text in their order. @throws {Error} for what was never checked */
export function parsePolicies(text: string): ParsedPolicy[] {
  const parts = cedar.policySetTextToParts(text);
  if (parts.type === 'failure') throw new Error(`Policies cannot be read: ${parts.errors[0]?.message}`);
  return parts.policies.map((policy) => {
    const json = cedar.policyToJson(policy);
    if (json.type === 'failure') throw new Error(`A policy cannot be read: ${json.errors[0]?.message}`);
    return { text: policy, json: json.json };
  });
}

/** A checked text as the authorizer takes it: each policy by the name under which decisions report it. */
export function compilePolicies(text: string, key: string, version: number | 'draft'): PolicyVersion {
  const parsed = parsePolicies(text);
  return {
    key,
    policies: Object.fromEntries(
      parsed.map((policy) => [`policy:${policy.json.annotations?.['id'] ?? ''}@${version}`, policy.text]),
    ),
    circumstantial: parsed.some(({ json }) => isCircumstantial(json.conditions)),
    heads: parsed.map(({ json }) => headOf(json)),
  };
}

/** Whether a condition looks at the circumstances of a request, or at how long ago something was proved. */
function isCircumstantial(part: unknown): boolean {
  if (Array.isArray(part)) return part.some(isCircumstantial);
  if (typeof part !== 'object' || part === null) return false;
  const { Var: variable, attr } = part as { Var?: unknown; attr?: unknown };
  if (variable === 'context' || attr === 'mfaAt') return true;
  return Object.values(part).some(isCircumstantial);
}
