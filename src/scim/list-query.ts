import { attributePath } from './protocol/attribute-path.js';
import { isFields, type Fields, type Json } from './protocol/evaluate-filter.js';
import type { AttributePath, Filter } from './protocol/filter.js';
import { parseFilter } from './protocol/parse-filter.js';
import type { Wanted } from './protocol/project.js';
import type { ResourceType } from './protocol/schema.js';
import { ScimError } from './protocol/scim.errors.js';

export const LIST_SCHEMA = 'urn:ietf:params:scim:api:messages:2.0:ListResponse';
export const SEARCH_SCHEMA = 'urn:ietf:params:scim:api:messages:2.0:SearchRequest';
/** The most resources of one answer, and as many as there are where nothing is said. */
export const MOST_RESULTS = 200;
const USUAL_RESULTS = 100;
const MOST_ATTRIBUTES = 100;
const LONGEST_CURSOR = 200;

/** Which resources, in which order, and which of them (RFC 7644 section 3.4.2; cursors, RFC 9865). */
export interface ListQuery {
  readonly filter?: Filter;
  readonly sortBy?: AttributePath;
  readonly descending: boolean;
  /** From 1. */
  readonly startIndex: number;
  readonly count: number;
  /** Where the page before has ended; empty for the first page. */
  readonly cursor?: string;
  readonly wanted: Wanted;
}

/** A page of resources. `total` is absent where telling it would take looking at all of them. */
export interface Found {
  readonly resources: readonly Fields[];
  readonly total?: number;
  readonly nextCursor?: string;
}

/** The query of a GET, whose values are texts. @throws {ScimError} */
export function listQuery(type: ResourceType, query: Fields): ListQuery {
  return read(type, query, (value) => textList(value));
}

/** The body of a POST to `.search`. @throws {ScimError} */
export function searchQuery(type: ResourceType, body: Json | undefined): ListQuery {
  if (!isFields(body)) throw new ScimError('invalidSyntax', 'The body must be a SearchRequest as an object.');
  const { schemas } = body;
  if (!Array.isArray(schemas) || !schemas.includes(SEARCH_SCHEMA))
    throw new ScimError('invalidSyntax', `"schemas" must name ${SEARCH_SCHEMA}.`);
  return read(type, body, (value, name) => {
    if (!Array.isArray(value) || value.some((one) => typeof one !== 'string'))
      throw new ScimError('invalidValue', `"${name}" must be a list of attributes.`);
    return value as string[];
  });
}

/** What of a single resource is wanted. */
export function wantedOf(query: Fields): Wanted {
  return wanted(query, (value) => textList(value));
}

type ReadList = (value: Json, name: string) => readonly string[];

function read(type: ResourceType, given: Fields, list: ReadList): ListQuery {
  const filter = text(given, 'filter');
  const sortBy = text(given, 'sortBy');
  const order = text(given, 'sortOrder')?.toLowerCase();
  if (order !== undefined && order !== 'ascending' && order !== 'descending')
    throw new ScimError('invalidValue', '"sortOrder" must be ascending or descending.');
  const cursor = text(given, 'cursor');
  const startIndex = whole(given, 'startIndex');
  if (cursor !== undefined && startIndex !== undefined)
    throw new ScimError('invalidValue', 'Say where to begin by "cursor" or by "startIndex", not by both.');
  if (cursor !== undefined && sortBy !== undefined)
    throw new ScimError('invalidValue', 'Pages by "cursor" come in the order of making: leave out "sortBy".');
  if (cursor !== undefined && cursor.length > LONGEST_CURSOR)
    throw new ScimError('invalidCursor', '"cursor" must be nextCursor of the page before.');
  return {
    ...(filter !== undefined && { filter: parseFilter(type, filter) }),
    ...(sortBy !== undefined && { sortBy: sortPath(type, sortBy) }),
    descending: order === 'descending',
    startIndex: Math.max(1, startIndex ?? 1),
    count: Math.min(MOST_RESULTS, Math.max(0, whole(given, 'count') ?? USUAL_RESULTS)),
    ...(cursor !== undefined && { cursor }),
    wanted: wanted(given, list),
  };
}

function sortPath(type: ResourceType, word: string): AttributePath {
  try {
    return attributePath(type, word);
  } catch (error) {
    throw error instanceof ScimError ? new ScimError('invalidPath', error.message) : error;
  }
}

function wanted(given: Fields, list: ReadList): Wanted {
  const { attributes, excludedAttributes } = given;
  const names = (value: Json | undefined, name: string): readonly string[] | undefined => {
    if (value === undefined || value === null) return undefined;
    const read = list(value, name);
    if (read.length > MOST_ATTRIBUTES)
      throw new ScimError('invalidValue', `"${name}" names more than ${MOST_ATTRIBUTES} attributes.`);
    return read;
  };
  const only = names(attributes, 'attributes');
  const without = names(excludedAttributes, 'excludedAttributes');
  return { ...(only && { attributes: only }), ...(without && { excludedAttributes: without }) };
}

function textList(value: Json): readonly string[] {
  const texts = Array.isArray(value) ? (value as readonly Json[]) : [value];
  return texts
    .flatMap((one) => (typeof one === 'string' ? one.split(',') : []))
    .filter((one) => one.trim() !== '');
}

function text(given: Fields, name: string): string | undefined {
  const value = given[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw new ScimError('invalidValue', `"${name}" must be a text, said once.`);
  return value;
}

function whole(given: Fields, name: string): number | undefined {
  const value = given[name];
  if (value === undefined || value === null) return undefined;
  const number = typeof value === 'string' && /^-?\d{1,9}$/.test(value) ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isSafeInteger(number))
    throw new ScimError('invalidValue', `"${name}" must be a whole number.`);
  return number;
}

/** The answer of a list. */
export function listResponse(found: Found, { startIndex, cursor }: ListQuery): Fields {
  return {
    schemas: [LIST_SCHEMA],
    ...(found.total !== undefined && { totalResults: found.total }),
    itemsPerPage: found.resources.length,
    ...(cursor === undefined
      ? { startIndex }
      : found.nextCursor !== undefined && { nextCursor: found.nextCursor }),
    Resources: found.resources,
  };
}
