import { comparable, valuesAt, type Fields, type Json } from './evaluate-filter.js';
import { comparedPart, type AttributePath } from './filter.js';
import { isPrimary } from './read-value.js';

/**
 * Resources in the order of an attribute (RFC 7644 section 3.4.2.3): by the primary of several values, else the first;
 * those that have none come last, first when the order is descending. Those that are equal stay as they were.
 */
export function sorted<T extends { readonly resource: Fields }>(
  found: readonly T[],
  path: AttributePath,
  descending: boolean,
): T[] {
  const keyed = found.map((one) => ({ one, key: keyOf(path, one.resource) }));
  const direction = descending ? -1 : 1;
  return keyed.toSorted((a, b) => direction * order(a.key, b.key)).map(({ one }) => one);
}

function keyOf(path: AttributePath, resource: Fields): string | number | undefined {
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

function order(a: string | number | undefined, b: string | number | undefined): number {
  if (a === b) return 0;
  if (a === undefined) return 1;
  if (b === undefined) return -1;
  return a < b ? -1 : 1;
}
