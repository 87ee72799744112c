import { comparedPart, type AttributePath, type Filter, type FilterValue, type Operator } from './filter.js';
import type { Attribute } from './schema.js';

export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };
export type Fields = Readonly<Record<string, Json>>;

/** Whether a resource fits. Names in it are as the schema writes them (`readResource`). */
export function fits(filter: Filter, resource: Fields): boolean {
  switch (filter.kind) {
    case 'and':
      return filter.parts.every((part) => fits(part, resource));
    case 'or':
      return filter.parts.some((part) => fits(part, resource));
    case 'not':
      return !fits(filter.inner, resource);
    case 'present':
      return valuesAt(filter.path, resource).some(isSomething);
    case 'some':
      return itemsAt(filter.path, resource).some((item) => isFields(item) && fits(filter.inner, item));
    case 'compare':
      return compares(filter, valuesAt(comparedPath(filter.path), resource));
  }
}

/** What is compared with several values fits if one of them does; `ne` if none is equal. */
function compares(
  { path, operator, value }: { path: AttributePath; operator: Operator; value: FilterValue },
  values: readonly Json[],
): boolean {
  if (value === null) return (operator === 'eq') !== values.some(isSomething);
  const part = comparedPart(path);
  if (operator === 'ne') return !values.some((one) => holds(part, 'eq', one, value));
  return values.some((one) => holds(part, operator, one, value));
}

function holds(part: Attribute, operator: Operator, one: Json, value: string | number | boolean): boolean {
  if (part.type === 'dateTime') return ordered(operator, timeOf(one), timeOf(value));
  if (typeof value !== 'string')
    return typeof one === typeof value && ordered(operator, one as typeof value, value);
  if (typeof one !== 'string') return false;
  const [left, right] = [comparable(part, one), comparable(part, value)];
  switch (operator) {
    case 'co':
      return left.includes(right);
    case 'sw':
      return left.startsWith(right);
    case 'ew':
      return left.endsWith(right);
    default:
      return ordered(operator, left, right);
  }
}

function ordered<T extends string | number | boolean>(operator: Operator, left: T, right: T): boolean {
  switch (operator) {
    case 'eq':
      return left === right;
    case 'gt':
      return left > right;
    case 'ge':
      return left >= right;
    case 'lt':
      return left < right;
    case 'le':
      return left <= right;
    default:
      return false;
  }
}

/** Texts are compared as one way of writing them, and where their case says nothing without it. */
export function comparable({ caseExact }: Pick<Attribute, 'caseExact'>, text: string): string {
  const composed = text.normalize('NFC');
  return caseExact ? composed : composed.toLowerCase();
}

function timeOf(value: Json): number {
  return typeof value === 'string' ? Date.parse(value) : Number.NaN;
}

function comparedPath(path: AttributePath): AttributePath {
  const part = comparedPart(path);
  return path.sub || part === path.attribute ? path : { ...path, sub: part };
}

/** The values that a path leads to: none, one, or one of each item. */
export function valuesAt(path: AttributePath, resource: Fields): readonly Json[] {
  const items = itemsAt(path, resource);
  const { sub } = path;
  if (!sub) return items;
  return items.flatMap((item) => (isFields(item) ? asList(item[sub.name]) : []));
}

function itemsAt({ extension, attribute }: AttributePath, resource: Fields): readonly Json[] {
  const home = extension === undefined ? resource : resource[extension];
  return isFields(home) ? asList(home[attribute.name]) : [];
}

function asList(value: Json | undefined): readonly Json[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? (value as readonly Json[]) : [value];
}

/** RFC 7644: an attribute that is empty, or null, is as one that is not there. */
function isSomething(value: Json): boolean {
  if (value === null || value === '') return false;
  if (typeof value !== 'object') return true;
  return Object.values(value).some(isSomething);
}

/** What a text attribute says; nothing where it is not there. */
export function textIn(fields: Fields, name: string): string {
  const value = fields[name];
  return typeof value === 'string' ? value : '';
}

export function isFields(value: Json | undefined): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
