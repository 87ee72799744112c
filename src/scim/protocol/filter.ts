import type { Attribute } from './schema.js';

export const OPERATORS = ['eq', 'ne', 'co', 'sw', 'ew', 'gt', 'ge', 'lt', 'le'] as const;
export type Operator = (typeof OPERATORS)[number];

export type FilterValue = string | number | boolean | null;

/** An attribute as a filter or a patch names it: of which extension, which attribute, and which part of it. */
export interface AttributePath {
  /** The extension's URN; undefined for the resource's own schema. */
  readonly extension?: string;
  readonly attribute: Attribute;
  readonly sub?: Attribute;
}

export type Filter =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Filter[] }
  | { readonly kind: 'not'; readonly inner: Filter }
  | { readonly kind: 'present'; readonly path: AttributePath }
  | {
      readonly kind: 'compare';
      readonly path: AttributePath;
      readonly operator: Operator;
      readonly value: FilterValue;
    }
  /** Of an attribute with several values: one of them fits as a whole. Paths inside are those of its parts. */
  | { readonly kind: 'some'; readonly path: AttributePath; readonly inner: Filter };

/** What of an attribute is compared where a filter names no part of it. */
export function comparedPart({ attribute, sub }: AttributePath): Attribute {
  if (sub) return sub;
  const value = attribute.subAttributes?.find(({ name }) => name === 'value');
  return attribute.type === 'complex' && value ? value : attribute;
}
