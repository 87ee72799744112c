import fc from 'fast-check';
import { FittingBodies, typesOf } from './fitting-bodies.js';
import type { OpenApiContract, Schema } from './openapi-contract.js';

/** A body that fits but for one field, or whose field is null where it may be. `undefined`: it is left out. */
export interface UnfitBody {
  /** JSON pointer (RFC 6901) of the field. */
  readonly pointer: string;
  readonly value: unknown;
  /** Whether the document lets the field have this value. */
  readonly documented: boolean;
  readonly body: unknown;
}

interface Field {
  readonly path: readonly string[];
  readonly schema: Schema;
  readonly required: boolean;
}

/** Objects in objects are followed so deep. */
const DEEPEST = 4;
/** By kinds of JSON Schema. Texts and numbers are such as are easily taken for one another, and for true. */
const VALUES: Readonly<Record<string, readonly unknown[]>> = {
  null: [null],
  object: [{}],
  array: [[]],
  number: [1],
  boolean: [true],
  string: ['1', 'true'],
};

/**
 * For each field of a document's bodies: one with null, one for each kind of value that it must not have, one with a list of
 * what would fit where no list is wanted, and one without it where it is required.
 */
export class UnfitFields {
  readonly #bodies: FittingBodies;

  constructor(contract: OpenApiContract, ids: readonly string[]) {
    this.#bodies = new FittingBodies(contract, {
      text: textOf,
      field: (fitting) => fitting,
      least: true,
      ids,
    });
  }

  /** What fits, with the fields that it must have. The same each time. */
  fitting(schema: Schema): unknown {
    return fc.sample(this.#bodies.bodyOf(schema), { numRuns: 1, seed: 1 })[0];
  }

  *of(schema: Schema): Generator<UnfitBody> {
    for (const { path, schema: field, required } of this.#fields(schema, [])) {
      const kinds = this.#kinds(field);
      // What names no type takes them all.
      const unfit = kinds.size === 0 ? [] : Object.keys(VALUES).filter((kind) => !kinds.has(kind));
      const made = (value: unknown, documented: boolean): UnfitBody => ({
        pointer: `/${path.join('/')}`,
        value,
        documented,
        body: this.#with(schema, path, value),
      });
      yield made(null, kinds.size === 0 || kinds.has('null'));
      for (const value of unfit.flatMap((kind) => VALUES[kind])) if (value !== null) yield made(value, false);
      if (kinds.size > 0 && !kinds.has('array')) yield made([this.fitting(field)], false);
      if (required) yield made(undefined, false);
    }
  }

  *#fields(schema: Schema, path: readonly string[]): Generator<Field> {
    if (path.length >= DEEPEST) return;
    const { properties = {}, items, required = [] } = this.#whole(schema);
    const inside = items ? { 0: items } : properties;
    for (const [name, field] of Object.entries(inside)) {
      const found = { path: [...path, name], schema: field, required: required.includes(name) };
      yield found;
      yield* this.#fields(field, found.path);
    }
  }

  #with(schema: Schema, [name, ...further]: readonly string[], value: unknown): unknown {
    if (name === undefined) return value;
    const { properties = {}, items } = this.#whole(schema);
    if (items) return [this.#with(items, further, value)];
    const fitting = this.fitting(schema) as Record<string, unknown>;
    return { ...fitting, [name]: this.#with(properties[name] ?? {}, further, value) };
  }

  /** The schema that has the fields, where it is one of several. */
  #whole(schema: Schema): Schema {
    const known = this.#bodies.resolved(schema);
    const parts = [...(known.allOf ?? []), ...(known.oneOf ?? []), ...(known.anyOf ?? [])];
    const part = parts.map((one) => this.#whole(one)).find(({ properties, items }) => properties ?? items);
    return part ?? known;
  }

  #kinds(schema: Schema): Set<string> {
    const known = this.#bodies.resolved(schema);
    const parts = [...(known.allOf ?? []), ...(known.oneOf ?? []), ...(known.anyOf ?? [])];
    const own = typesOf(known).map((type) => (type === 'integer' ? 'number' : type));
    const enumerated = known.type === undefined ? (known.enum ?? []).map(kindOf) : [];
    return new Set([...own, ...enumerated, ...parts.flatMap((part) => [...this.#kinds(part)])]);
  }
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

/** A text as the schema wants it: by its example, its pattern, its format, or of its least length. */
function textOf({ example, pattern, format, minLength = 1 }: Schema): fc.Arbitrary<unknown> {
  if (typeof example === 'string') return fc.constant(example);
  if (format === 'email') return fc.constant('somebody@people.example');
  if (format === 'uri') return fc.constant('https://people.example/');
  if (format === 'date-time') return fc.constant('2100-01-01T00:00:00Z');
  if (pattern !== undefined && minLength <= 1) return fc.stringMatching(new RegExp(pattern));
  return fc.constant('Marmalade on 12 scones'.repeat(Math.ceil(minLength / 22)));
}
