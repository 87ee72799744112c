import type { Filter, Operator } from './protocol/filter.js';

/** The values of a statement under way, by their placeholders. */
export class Values {
  readonly list: unknown[] = [];

  /** `$3` */
  add(value: unknown): string {
    this.list.push(value);
    return `$${this.list.length}`;
  }
}

/**
 * A condition in SQL that holds for every resource that fits a filter; `exact` where it holds for no other. Written once it
 * is known to be a part of the statement: values that no placeholder names have no type.
 */
export interface Condition {
  readonly write: (values: Values) => string;
  readonly exact: boolean;
  /** Where it is always written the same, and names few: then it is prepared, as what is asked for most. */
  readonly name?: string;
  /** Where nothing fits it: another in its place, should there be one by now. */
  readonly anew?: () => Promise<Condition | undefined>;
}

export const NOBODY: Condition = { write: () => 'false', exact: true };

/** Undefined where SQL cannot tell: then whatever there is has to be looked at. */
export type NarrowLeaf = (
  filter: Exclude<Filter, { kind: 'and' | 'or' | 'not' }>,
) => Promise<Condition | undefined>;

/** The condition of a whole filter, from those of its comparisons. */
export async function narrow(filter: Filter, leaf: NarrowLeaf): Promise<Condition | undefined> {
  switch (filter.kind) {
    case 'and':
    case 'or': {
      const parts = await Promise.all(filter.parts.map((part) => narrow(part, leaf)));
      const known = parts.filter((part) => part !== undefined);
      if (filter.kind === 'or' && known.length < parts.length) return undefined;
      if (known.length === 0) return undefined;
      const by = filter.kind === 'and' ? ' AND ' : ' OR ';
      return {
        write: (values) => known.map(({ write }) => `(${write(values)})`).join(by),
        exact: known.length === parts.length && known.every(({ exact }) => exact),
      };
    }
    case 'not': {
      const inner = await narrow(filter.inner, leaf);
      return inner?.exact ? { write: (values) => `NOT (${inner.write(values)})`, exact: true } : undefined;
    }
    default:
      return leaf(filter);
  }
}

const COMPARISONS: Partial<Record<Operator, string>> = {
  eq: '=',
  ne: '<>',
  gt: '>',
  ge: '>=',
  lt: '<',
  le: '<=',
};

/** A comparison of what is never null; `cast` says what the value is in SQL. */
export function compared(
  { operator, value }: Extract<Filter, { kind: 'compare' }>,
  column: string,
  cast: 'text' | 'boolean' | 'timestamptz',
): Condition | undefined {
  const sign = COMPARISONS[operator];
  if (sign === undefined || value === null) return undefined;
  const sent = cast === 'timestamptz' ? new Date(String(value)) : value;
  return { write: (values) => `${column} ${sign} ${values.add(sent)}::${cast}`, exact: true };
}

/** The same of what has no order in SQL that is the one of filters. */
export function equal(
  filter: Extract<Filter, { kind: 'compare' }>,
  column: string,
  cast: 'text' | 'boolean',
): Condition | undefined {
  return filter.operator === 'eq' || filter.operator === 'ne' ? compared(filter, column, cast) : undefined;
}

/** Times are told in milliseconds. */
export function milliseconds(column: string): string {
  return `date_trunc('milliseconds', ${column})`;
}

export const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Whether a filter looks at an attribute anywhere. */
export function looksAt(filter: Filter, name: string): boolean {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return filter.parts.some((part) => looksAt(part, name));
    case 'not':
      return looksAt(filter.inner, name);
    default:
      return filter.path.extension === undefined && filter.path.attribute.name === name;
  }
}
