import { isFields, textIn, type Fields, type Json } from './protocol/evaluate-filter.js';
import { ScimError } from './protocol/scim.errors.js';

export const BULK_SCHEMA = 'urn:ietf:params:scim:api:messages:2.0:BulkRequest';
export const MOST_OPERATIONS = 1_000;

export const METHODS = ['POST', 'PUT', 'PATCH', 'DELETE'] as const;
const PATH = /^\/(Users|Groups)(?:\/([^/?#]{1,200}))?$/;
const REFERENCE = /^bulkId:(.{1,200})$/s;

/** One operation of several (RFC 7644 section 3.7). */
export interface BulkOperation {
  readonly method: (typeof METHODS)[number];
  readonly kind: 'Users' | 'Groups';
  /** May refer to another operation: `bulkId:qwerty`. */
  readonly id?: string;
  readonly bulkId?: string;
  readonly version?: string;
  readonly data?: Json;
}

export interface BulkRequest {
  readonly operations: readonly Json[];
  /** After so many refusals the rest is left. */
  readonly failOnErrors?: number;
}

/** @throws {ScimError} `invalidSyntax` */
export function readBulk(body: Json | undefined): BulkRequest {
  if (!isFields(body)) throw new ScimError('invalidSyntax', 'The body must be a BulkRequest as an object.');
  const fields = new Map(Object.entries(body).map(([name, value]) => [name.toLowerCase(), value]));
  const schemas = fields.get('schemas');
  if (!Array.isArray(schemas) || !schemas.includes(BULK_SCHEMA))
    throw new ScimError('invalidSyntax', `"schemas" must name ${BULK_SCHEMA}.`);
  const operations = fields.get('operations');
  if (!Array.isArray(operations)) throw new ScimError('invalidSyntax', '"Operations" must be a list.');
  const failOnErrors = fields.get('failonerrors');
  if (failOnErrors !== undefined && !(Number.isSafeInteger(failOnErrors) && Number(failOnErrors) > 0))
    throw new ScimError('invalidSyntax', '"failOnErrors" must be a whole number above 0.');
  return {
    operations: operations as readonly Json[],
    ...(failOnErrors !== undefined && { failOnErrors: Number(failOnErrors) }),
  };
}

/** @throws {ScimError} */
export function readOperation(given: Json): BulkOperation {
  if (!isFields(given)) throw new ScimError('invalidSyntax', 'Each operation must be an object.');
  const { path, bulkId, version, data } = given;
  const method = methodIn(given);
  if (!method) throw new ScimError('invalidSyntax', `"method" must be one of ${METHODS.join(', ')}.`);
  const [, kind, id] = PATH.exec(typeof path === 'string' ? path : '') ?? [];
  if (kind === undefined || (method === 'POST') !== (id === undefined))
    throw new ScimError(
      'invalidSyntax',
      '"path" must be /Users or /Groups to add, and name the resource otherwise.',
    );
  if (method === 'POST' && (typeof bulkId !== 'string' || bulkId === ''))
    throw new ScimError('invalidSyntax', 'What is added needs a "bulkId".');
  return {
    method,
    kind: kind as 'Users' | 'Groups',
    ...(id !== undefined && { id }),
    ...(typeof bulkId === 'string' && { bulkId }),
    ...(typeof version === 'string' && { version }),
    ...(data !== undefined && { data }),
  };
}

export function methodIn(given: Fields): BulkOperation['method'] | undefined {
  return METHODS.find((one) => one === textIn(given, 'method').toUpperCase());
}

/** The bulk ids that an operation refers to, in its path or anywhere in its data. */
export function referencesOf({ id, data }: BulkOperation): string[] {
  const found = new Set<string>();
  const look = (value: Json | undefined): void => {
    if (typeof value === 'string') {
      const name = REFERENCE.exec(value)?.[1];
      if (name !== undefined) found.add(name);
    } else if (typeof value === 'object' && value !== null)
      for (const inner of Object.values(value)) look(inner);
  };
  look(id);
  look(data);
  return [...found];
}

/** The same with what the references have come to. */
export function resolved(operation: BulkOperation, ids: ReadonlyMap<string, string>): BulkOperation {
  const put = (value: Json): Json => {
    if (typeof value === 'string') return ids.get(REFERENCE.exec(value)?.[1] ?? '') ?? value;
    if (Array.isArray(value)) return (value as readonly Json[]).map(put);
    if (!isFields(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]): [string, Json] => [name, put(inner)]),
    );
  };
  const { id, data } = operation;
  const known = ids.get(REFERENCE.exec(id ?? '')?.[1] ?? '');
  return {
    ...operation,
    ...(known !== undefined && { id: known }),
    ...(data !== undefined && { data: put(data) }),
  };
}
