import { meaningOf } from './attribute-path.js';
import { isFields, type Fields, type Json } from './evaluate-filter.js';
import { attributesOf, type Attribute, type ResourceType, type Schema } from './schema.js';

/** Which attributes are answered (RFC 7644 section 3.9). */
export interface Wanted {
  readonly attributes?: readonly string[];
  readonly excludedAttributes?: readonly string[];
}

/** What is meant of one attribute: all of it, or these parts. */
type Selection = ReadonlyMap<string, 'all' | ReadonlySet<string>>;

/** A resource with what was asked for; what is always returned is there, and what never is not. */
export function project(type: ResourceType, resource: Fields, wanted: Wanted): Fields {
  const only = wanted.attributes && selectionOf(type, wanted.attributes);
  const without = wanted.excludedAttributes && selectionOf(type, wanted.excludedAttributes);
  if (!only && !without) return resource;
  const answered: Record<string, Json> = {};
  for (const [name, value] of Object.entries(resource)) {
    const extension = type.extensions.find(({ id }) => id === name);
    const kept = extension
      ? ofExtension(extension, value, only, without)
      : ofCore(type, name, value, only, without);
    if (kept !== undefined) answered[name] = kept;
  }
  return answered;
}

/** Whether an attribute of the resource's own schema is answered at all, and need be looked up. */
export function isWanted(type: ResourceType, name: string, wanted: Wanted): boolean {
  const only = wanted.attributes && selectionOf(type, wanted.attributes);
  if (only) return only.has(name);
  return (
    wanted.excludedAttributes === undefined ||
    selectionOf(type, wanted.excludedAttributes).get(name) !== 'all'
  );
}

function ofCore(
  type: ResourceType,
  name: string,
  value: Json,
  only: Selection | undefined,
  without: Selection | undefined,
): Json | undefined {
  const attribute = attributesOf(type).find((one) => one.name === name);
  if (attribute?.returned === 'always') return value;
  return selected(attribute, name, value, only, without);
}

function ofExtension(
  { id, attributes }: Schema,
  value: Json,
  only: Selection | undefined,
  without: Selection | undefined,
): Json | undefined {
  if (only?.get(id) === 'all') return value;
  if (without?.get(id) === 'all' || !isFields(value)) return undefined;
  const kept: Record<string, Json> = {};
  for (const attribute of attributes) {
    const given = value[attribute.name];
    const part =
      given === undefined ? undefined : selected(attribute, `${id}:${attribute.name}`, given, only, without);
    if (part !== undefined) kept[attribute.name] = part;
  }
  return Object.keys(kept).length === 0 ? undefined : kept;
}

function selected(
  attribute: Attribute | undefined,
  key: string,
  value: Json,
  only: Selection | undefined,
  without: Selection | undefined,
): Json | undefined {
  const asked = only ? only.get(key) : 'all';
  if (asked === undefined) return undefined;
  const kept = asked === 'all' ? value : withParts(value, (part) => asked.has(part));
  const refused = only ? undefined : without?.get(key);
  if (refused === 'all') return undefined;
  return refused && attribute ? withParts(kept, (part) => !refused.has(part)) : kept;
}

function withParts(value: Json, isKept: (part: string) => boolean): Json {
  if (Array.isArray(value)) return (value as readonly Json[]).map((item) => withParts(item, isKept));
  if (!isFields(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([part]) => isKept(part)));
}

/** Names that mean nothing here are as if they were not said. */
function selectionOf(type: ResourceType, names: readonly string[]): Selection {
  const selection = new Map<string, 'all' | Set<string>>();
  for (const name of names) {
    const meaning = meaningOf(type, name.trim());
    if (!meaning) continue;
    if ('wholeExtension' in meaning) {
      selection.set(meaning.wholeExtension.id, 'all');
      continue;
    }
    const { extension, attribute, sub } = meaning;
    const key = extension === undefined ? attribute.name : `${extension}:${attribute.name}`;
    const known = selection.get(key);
    if (!sub) selection.set(key, 'all');
    else if (known !== 'all') selection.set(key, (known ?? new Set()).add(sub.name));
  }
  return selection;
}
