import fc from 'fast-check';
import type { OpenApiContract, Schema } from './openapi-contract.js';

/** How bodies are made of a schema. */
export interface Making {
  /** What stands where a schema asks for a text that is no id. */
  readonly text: (schema: Schema) => fc.Arbitrary<unknown>;
  /** What stands in a field, where this would fit it. */
  readonly field: (fitting: fc.Arbitrary<unknown>) => fc.Arbitrary<unknown>;
  /** Only what has to be there: no field and no element that may be left out, and the least number that there may be. */
  readonly least: boolean;
  /** Ids of what there is. */
  readonly ids: readonly string[];
}

const FAR = 2 ** 31;

/** Bodies that fit the schemas of the OpenAPI document, as far as the making lets them. */
export class FittingBodies {
  constructor(
    private readonly contract: OpenApiContract,
    private readonly making: Making,
  ) {}

  bodyOf(schema: Schema | undefined): fc.Arbitrary<unknown> {
    return this.making.field(this.fittingOf(this.resolved(schema)));
  }

  fittingOf(schema: Schema): fc.Arbitrary<unknown> {
    const { least } = this.making;
    if (schema.enum) return fc.constantFrom(...schema.enum);
    const [one] = schema.oneOf ?? schema.anyOf ?? schema.allOf ?? [];
    if (one) return this.bodyOf(one);
    if (schema.properties) {
      const required = schema.required ?? [];
      const fields = Object.entries(schema.properties).filter(([name]) => !least || required.includes(name));
      const made = fields.map(([name, field]) => [name, this.bodyOf(field)] as const);
      return fc.record(Object.fromEntries(made), { requiredKeys: [...required] });
    }
    const { minimum: min = -FAR, maximum: max = FAR } = schema;
    const [type] = typesOf(schema);
    const { minItems: minLength = 0 } = schema;
    if (type === 'array') {
      const maxLength = least ? minLength : Math.max(minLength, 3);
      return fc.array(this.bodyOf(schema.items), { minLength, maxLength });
    }
    if (type === 'number' || type === 'integer')
      return fc.integer({ min, max: least && schema.minimum !== undefined ? min : max });
    if (type === 'boolean') return fc.boolean();
    if (type === 'object') return fc.constant({});
    if (schema.format === 'uuid') return fc.constantFrom(...this.making.ids);
    return this.making.text(schema);
  }

  resolved(schema: Schema = {}): Schema {
    const name = schema.$ref?.split('/').at(-1);
    const known = name === undefined ? schema : this.contract.document.components.schemas[name];
    if (!known) throw new Error(`The document refers to ${schema.$ref}, which is not in it.`);
    return known;
  }
}

/** Of JSON Schema's types those that a schema names itself; none where it names none. */
export function typesOf({ type }: Schema): readonly string[] {
  return type === undefined ? [] : typeof type === 'string' ? [type] : type;
}
