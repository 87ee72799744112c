/** The terms of RFC 7643 section 2 in which attributes are described, and by which what comes in is read. */
export type AttributeType =
  'string' | 'boolean' | 'integer' | 'dateTime' | 'reference' | 'binary' | 'complex';

export interface Attribute {
  readonly name: string;
  readonly type: AttributeType;
  readonly multiValued: boolean;
  readonly description: string;
  readonly required: boolean;
  readonly caseExact: boolean;
  readonly mutability: 'readOnly' | 'readWrite' | 'immutable' | 'writeOnly';
  readonly returned: 'always' | 'default' | 'never' | 'request';
  readonly uniqueness: 'none' | 'server';
  readonly canonicalValues?: readonly string[];
  readonly referenceTypes?: readonly string[];
  readonly subAttributes?: readonly Attribute[];
}

export interface Schema {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly attributes: readonly Attribute[];
}

/** What a resource is made of: its own schema, and those that extend it. */
export interface ResourceType {
  readonly name: 'User' | 'Group';
  readonly endpoint: '/Users' | '/Groups';
  readonly description: string;
  readonly schema: Schema;
  readonly extensions: readonly Schema[];
}

type Traits = Partial<Omit<Attribute, 'name' | 'type' | 'description'>>;

const PLAIN = {
  multiValued: false,
  required: false,
  caseExact: false,
  mutability: 'readWrite',
  returned: 'default',
  uniqueness: 'none',
} as const;

function attribute(type: AttributeType, name: string, description: string, traits: Traits): Attribute {
  return { ...PLAIN, name, type, description, ...traits };
}

export const text = (name: string, description: string, traits: Traits = {}): Attribute =>
  attribute('string', name, description, traits);
export const flag = (name: string, description: string, traits: Traits = {}): Attribute =>
  attribute('boolean', name, description, traits);
export const time = (name: string, description: string, traits: Traits = {}): Attribute =>
  attribute('dateTime', name, description, traits);
export const binary = (name: string, description: string, traits: Traits = {}): Attribute =>
  attribute('binary', name, description, { caseExact: true, ...traits });
export const reference = (name: string, description: string, types: readonly string[], traits: Traits = {}) =>
  attribute('reference', name, description, { caseExact: true, referenceTypes: types, ...traits });
export const complex = (
  name: string,
  description: string,
  subAttributes: readonly Attribute[],
  traits: Traits = {},
): Attribute => attribute('complex', name, description, { subAttributes, ...traits });

/** Several values, each with what kind it is of and whether it is the preferred one. */
export function list(
  name: string,
  description: string,
  { value = text('value', 'The value.'), types }: { value?: Attribute; types?: readonly string[] } = {},
): Attribute {
  const subAttributes = [
    value,
    text('display', 'A name for people, for display alone.'),
    text('type', 'What it is used for.', types && { canonicalValues: types }),
    flag('primary', 'Whether it is the preferred one: one at most.'),
  ];
  return complex(name, description, subAttributes, { multiValued: true });
}

/** What every resource has (RFC 7643 section 3.1). Not part of any schema's own list. */
export const COMMON: readonly Attribute[] = [
  reference('schemas', 'The schemas of what is there.', ['uri'], {
    multiValued: true,
    returned: 'always',
    mutability: 'readOnly',
  }),
  text('id', 'The identifier that the service has given.', {
    caseExact: true,
    mutability: 'readOnly',
    returned: 'always',
    uniqueness: 'server',
  }),
  text('externalId', 'The identifier that the client has given.', { caseExact: true }),
  complex(
    'meta',
    'What the service knows of the resource.',
    [
      text('resourceType', 'Its type.', { caseExact: true, mutability: 'readOnly' }),
      time('created', 'When it was added.', { mutability: 'readOnly' }),
      time('lastModified', 'When it was changed last.', { mutability: 'readOnly' }),
      reference('location', 'Its URI.', ['uri'], { mutability: 'readOnly' }),
      text('version', 'Its version, as the ETag has it.', { caseExact: true, mutability: 'readOnly' }),
    ],
    { mutability: 'readOnly' },
  ),
];

export function attributesOf({ schema }: ResourceType): readonly Attribute[] {
  return [...COMMON, ...schema.attributes];
}

/** Names of attributes are the same in whatever case (RFC 7643 section 2.1). */
export function named(attributes: readonly Attribute[] | undefined, name: string): Attribute | undefined {
  const wanted = name.toLowerCase();
  return attributes?.find((one) => one.name.toLowerCase() === wanted);
}

export function extensionOf({ extensions }: ResourceType, urn: string): Schema | undefined {
  const wanted = urn.toLowerCase();
  return extensions.find(({ id }) => id.toLowerCase() === wanted);
}
