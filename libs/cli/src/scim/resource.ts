export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };
export type Resource = { readonly [name: string]: Json };

export const USER = 'urn:ietf:params:scim:schemas:core:2.0:User';
export const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';
export const GROUP = 'urn:ietf:params:scim:schemas:core:2.0:Group';
export const ENTRA_GROUP = 'http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group';
export const PATCH = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';
export const ERROR = 'urn:ietf:params:scim:api:messages:2.0:Error';

/** Whether one says at least what another does; lists have as many members, in the same order. */
export function saysAtLeast(actual: Json | undefined, expected: Json): boolean {
  if (typeof expected !== 'object' || expected === null) return actual === expected;
  if (typeof actual !== 'object' || actual === null) return false;
  if (Array.isArray(expected) && (!Array.isArray(actual) || actual.length !== expected.length)) return false;
  const fields = actual as Resource;
  return Object.entries(expected).every(([name, value]) => saysAtLeast(fields[name], value as Json));
}

/** Undefined where it is none. */
export function asResource(body: Json | undefined): Resource | undefined {
  const isResource = typeof body === 'object' && body !== null && !Array.isArray(body);
  return isResource ? (body as Resource) : undefined;
}
