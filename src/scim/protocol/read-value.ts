import { isFields, type Fields, type Json } from './evaluate-filter.js';
import { ScimError } from './scim.errors.js';
import { named, type Attribute } from './schema.js';

const LONGEST_TEXT = 65_536;
const MOST_VALUES = 100;
const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?$/;

/**
 * A value as it is kept, from what a client sends for an attribute; undefined where it says that there is none: `null`,
 * an empty text, an empty list. @throws {ScimError} `invalidValue`
 */
export function readValue(attribute: Attribute, value: Json): Json | undefined {
  if (!attribute.multiValued) return readOne(attribute, value);
  const items = isNothing(value) ? [] : Array.isArray(value) ? (value as readonly Json[]) : [value];
  if (items.length > MOST_VALUES)
    throw new ScimError('invalidValue', `"${attribute.name}" has more than ${MOST_VALUES} values.`);
  const read = items.flatMap((item) => readOne(attribute, item) ?? []);
  requireOnePrimary(attribute, read);
  return read.length === 0 ? undefined : read;
}

/** One value, of an attribute that may have several. */
export function readOne(attribute: Attribute, value: Json): Json | undefined {
  if (isNothing(value)) return undefined;
  return attribute.type === 'complex' ? readParts(attribute, value) : readPlain(attribute, value);
}

/** What of an object the attribute has parts for. A text stands for its `value`, as Entra ID sends managers. */
function readParts(attribute: Attribute, value: Json): Fields | undefined {
  if (typeof value === 'string' && named(attribute.subAttributes, 'value'))
    return readParts(attribute, { value });
  if (!isFields(value)) throw wrongType(attribute, 'an object');
  const parts: Record<string, Json> = {};
  for (const [name, given] of Object.entries(value)) {
    const part = named(attribute.subAttributes, name);
    if (!part || part.mutability === 'readOnly') continue;
    const read = readValue(part, given);
    if (read !== undefined) parts[part.name] = read;
  }
  return Object.keys(parts).length === 0 ? undefined : parts;
}

function readPlain(attribute: Attribute, value: Json): Json {
  switch (attribute.type) {
    case 'boolean': {
      // Entra ID sends "True" and "False".
      const said = typeof value === 'string' ? value.toLowerCase() : value;
      if (said === true || said === 'true') return true;
      if (said === false || said === 'false') return false;
      throw wrongType(attribute, 'true or false');
    }
    case 'integer':
      if (!Number.isSafeInteger(value)) throw wrongType(attribute, 'a whole number');
      return value;
    case 'dateTime':
      if (typeof value !== 'string' || !TIMESTAMP.test(value) || Number.isNaN(Date.parse(value)))
        throw wrongType(attribute, 'a time');
      return value;
    default: {
      const text = typeof value === 'number' || typeof value === 'boolean' ? String(value) : value;
      if (typeof text !== 'string') throw wrongType(attribute, 'a text');
      if (text.length > LONGEST_TEXT)
        throw new ScimError('invalidValue', `"${attribute.name}" is longer than ${LONGEST_TEXT} characters.`);
      if (text.includes('\0') || !text.isWellFormed())
        throw new ScimError('invalidValue', `"${attribute.name}" has characters that are none.`);
      return text;
    }
  }
}

function requireOnePrimary({ name }: Attribute, items: readonly Json[]): void {
  if (items.filter(isPrimary).length > 1)
    throw new ScimError('invalidValue', `Of "${name}" one may be the primary one, not several.`);
}

export function isPrimary(item: Json): boolean {
  return isFields(item) && item['primary'] === true;
}

export function isNothing(value: Json | undefined): boolean {
  if (value === undefined || value === null || value === '') return true;
  return Array.isArray(value) && value.length === 0;
}

function wrongType({ name }: Attribute, what: string): ScimError {
  return new ScimError('invalidValue', `"${name}" must be ${what}.`);
}
