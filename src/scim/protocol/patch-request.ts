import { meaningOf, type Meaning } from './attribute-path.js';
import { isFields, type Json } from './evaluate-filter.js';
import type { AttributePath, Filter } from './filter.js';
import { parseValueFilter } from './parse-filter.js';
import { ScimError } from './scim.errors.js';
import { named, type ResourceType } from './schema.js';
import { tokensOf } from './tokens.js';

export const PATCH_SCHEMA = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';
const MOST_OPERATIONS = 1_000;

/** Where an operation works: `emails`, `name.givenName`, `emails[type eq "work"].value`. */
export interface PatchPath extends AttributePath {
  readonly filter?: Filter;
}

export type PatchTarget = PatchPath | Extract<Meaning, { wholeExtension: unknown }>;

export interface PatchOperation {
  readonly op: 'add' | 'remove' | 'replace';
  /** As it was sent; undefined where the value says where. */
  readonly path?: string;
  readonly value?: Json;
}

/** The operations of a PATCH body. Entra ID writes `Add`, and some clients `operations`. @throws {ScimError} */
export function readPatch(body: Json | undefined): PatchOperation[] {
  if (!isFields(body)) throw new ScimError('invalidSyntax', 'The body must be a PatchOp as an object.');
  const fields = new Map(Object.entries(body).map(([name, value]) => [name.toLowerCase(), value]));
  const schemas: unknown = fields.get('schemas');
  if (
    !Array.isArray(schemas) ||
    !schemas.some((urn) => String(urn).toLowerCase() === PATCH_SCHEMA.toLowerCase())
  )
    throw new ScimError('invalidSyntax', `"schemas" must name ${PATCH_SCHEMA}.`);
  return readOperations(fields.get('operations'));
}

/** The same without what is around them, as a bulk request may have them (RFC 7644 section 3.7.3). @throws {ScimError} */
export function readOperations(operations: Json | undefined): PatchOperation[] {
  if (!Array.isArray(operations) || operations.length === 0)
    throw new ScimError('invalidSyntax', '"Operations" must be a list of at least one operation.');
  if (operations.length > MOST_OPERATIONS)
    throw new ScimError('invalidSyntax', `"Operations" has more than ${MOST_OPERATIONS} operations.`);
  return (operations as readonly Json[]).map(readOperation);
}

function readOperation(operation: Json): PatchOperation {
  if (!isFields(operation)) throw new ScimError('invalidSyntax', 'Each operation must be an object.');
  const fields = new Map(Object.entries(operation).map(([name, value]) => [name.toLowerCase(), value]));
  const said = fields.get('op');
  const op = typeof said === 'string' ? said.toLowerCase() : undefined;
  if (op !== 'add' && op !== 'remove' && op !== 'replace')
    throw new ScimError('invalidSyntax', '"op" must be add, remove or replace.');
  const path = fields.get('path');
  if (path !== undefined && path !== null && typeof path !== 'string')
    throw new ScimError('invalidPath', '"path" must be a text.');
  const value = fields.get('value');
  const target = typeof path === 'string' && path.trim() !== '' ? path.trim() : undefined;
  if (op === 'remove' && target === undefined)
    throw new ScimError('noTarget', 'Say by "path" what is to be removed.');
  if (op === 'add' && value === undefined)
    throw new ScimError('invalidValue', 'Say by "value" what is to be added.');
  return { op, ...(target !== undefined && { path: target }), ...(value !== undefined && { value }) };
}

/** What a path means. @throws {ScimError} `invalidPath` */
export function parsePath(type: ResourceType, text: string): PatchTarget {
  const meaning = targetOf(type, text);
  if (!meaning)
    throw new ScimError('invalidPath', `"${text.slice(0, 200)}" is no attribute of a ${type.name}.`);
  return meaning;
}

/** The same; undefined where there is no such attribute. */
export function targetOf(type: ResourceType, text: string): PatchTarget | undefined {
  const tokens = tokensOf(text, 'invalidPath');
  const [first, bracket, ...rest] = tokens;
  if (first?.kind !== 'word') throw new ScimError('invalidPath', 'The path must begin with an attribute.');
  const meaning = meaningOf(type, first.text);
  if (!bracket) return meaning;
  if (bracket.kind !== '[') throw new ScimError('invalidPath', 'The path goes on behind its end.');
  if (!meaning) return undefined;
  const closing = rest.findIndex(({ kind }) => kind === ']');
  const behind = rest.slice(closing + 1);
  if (closing < 0 || 'wholeExtension' in meaning || meaning.sub || !meaning.attribute.subAttributes)
    throw new ScimError('invalidPath', 'What stands in brackets must follow an attribute that has parts.');
  const filter = filterIn(meaning, rest.slice(0, closing));
  if (behind.length === 0) return { ...meaning, filter };
  const [part] = behind;
  const name = behind.length === 1 && part?.kind === 'word' && /^\.(.+)$/.exec(part.text)?.[1];
  const sub = name ? named(meaning.attribute.subAttributes, name) : undefined;
  if (!sub)
    throw new ScimError(
      'invalidPath',
      `What follows the brackets is no part of "${meaning.attribute.name}".`,
    );
  return { ...meaning, filter, sub };
}

function filterIn({ attribute }: AttributePath, tokens: Parameters<typeof parseValueFilter>[1]): Filter {
  try {
    return parseValueFilter(attribute, tokens);
  } catch (error) {
    if (error instanceof ScimError) throw new ScimError('invalidPath', error.message);
    throw error;
  }
}
