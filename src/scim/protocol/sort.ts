import { comparable, valuesAt, type Fields, type Json } from './evaluate-filter.js';
import { comparedPart, type AttributePath } from './filter.js';
import { isPrimary } from './read-value.js';

/** By what a resource is put into an order; undefined where it has nothing of it. */
export type SortKey = string | number | undefined;

/**
 * The order of an attribute (RFC 7644 section 3.4.2.3); those that have none come last, first when the order is descending.
 * Those that are equal stay as they were.
 */
export function sorted<T extends { readonly key: SortKey }>(found: readonly T[], descending: boolean): T[] {
  const direction = descending ? -1 : 1;
  return found.toSorted((a, b) => direction * order(a.key, b.key));
}

/** Of several values the primary counts, else the first. */
export function sortKey(path: AttributePath, resource: Fields): SortKey {
  const part = comparedPart(path);
  const whole: AttributePath = {
    ...(path.extension !== undefined && { extension: path.extension }),
    attribute: path.attribute,
  };
  const items = valuesAt(whole, resource);
  const item = items.find(isPrimary) ?? items[0];
  const value = part === path.attribute ? item : partOf(item, part.name);
  if (typeof value === 'string')
    return part.type === 'dateTime' ? Date.parse(value) : comparable(part, value);
  return typeof value === 'boolean' ? Number(value) : typeof value === 'number' ? value : undefined;
}

function partOf(item: Json | undefined, name: string): Json | undefined {
  return typeof item === 'object' && item !== null && !Array.isArray(item)
    ? (item as Fields)[name]
    : undefined;
}

function order(a: SortKey, b: SortKey): number {
  if (a === b) return 0;
  if (a === undefined) return 1;
  if (b === undefined) return -1;
  return a < b ? -1 : 1;
}
