import type { AttributePath } from './filter.js';
import { ScimError } from './scim.errors.js';
import { attributesOf, named, type Attribute, type ResourceType, type Schema } from './schema.js';

/** What the word of a path means: an attribute, or an extension as a whole; undefined where there is no such thing. */
export type Meaning = AttributePath | { readonly wholeExtension: Schema };

/** `emails`, `name.givenName`, `urn:...:User:department`, `urn:...:User:manager.value`. */
export function meaningOf(type: ResourceType, word: string): Meaning | undefined {
  const { schema, rest } = schemaOf(type, word);
  if (schema && rest === undefined) return schema === type.schema ? undefined : { wholeExtension: schema };
  const [name = '', subName, ...more] = (rest ?? word).split('.');
  if (more.length > 0) return undefined;
  const ofExtension = schema !== undefined && schema !== type.schema;
  const attribute = named(ofExtension ? schema.attributes : attributesOf(type), name);
  if (!attribute) return undefined;
  const found = { ...(ofExtension && { extension: schema.id }), attribute };
  if (subName === undefined) return found;
  const sub = named(attribute.subAttributes, subName);
  return sub && { ...found, sub };
}

/** @throws {ScimError} where there is no such attribute */
export function attributePath(type: ResourceType, word: string): AttributePath {
  const meaning = meaningOf(type, word);
  if (!meaning || 'wholeExtension' in meaning)
    throw new ScimError('invalidFilter', `There is no attribute "${word.slice(0, 200)}" of a ${type.name}.`);
  return meaning;
}

/** Inside the brackets of an attribute, names are those of its parts. */
export function partPath(parent: Attribute, word: string): AttributePath {
  const attribute = named(parent.subAttributes, word);
  if (!attribute)
    throw new ScimError('invalidFilter', `"${parent.name}" has no part "${word.slice(0, 200)}".`);
  return { attribute };
}

/** URNs have colons and dots of their own: they are told by being known. */
function schemaOf(type: ResourceType, word: string): { schema?: Schema; rest?: string } {
  const lower = word.toLowerCase();
  for (const schema of [type.schema, ...type.extensions]) {
    const urn = schema.id.toLowerCase();
    if (lower === urn) return { schema };
    if (lower.startsWith(`${urn}:`)) return { schema, rest: word.slice(urn.length + 1) };
  }
  return {};
}
