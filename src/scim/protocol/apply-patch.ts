import { fits, isFields, type Fields, type Json } from './evaluate-filter.js';
import type { Filter } from './filter.js';
import {
  parsePath,
  targetOf,
  type PatchOperation,
  type PatchPath,
  type PatchTarget,
} from './patch-request.js';
import { isNothing, isPrimary, readOne, readValue } from './read-value.js';
import { requireRequired } from './read-resource.js';
import { ScimError } from './scim.errors.js';
import type { Attribute, ResourceType, Schema } from './schema.js';

type Draft = Record<string, Json>;

/**
 * A resource after the operations of a PATCH (RFC 7644 section 3.5.2), one after the other; the given one stays as it is.
 * @throws {ScimError}
 */
export function applyPatch(
  type: ResourceType,
  resource: Fields,
  operations: readonly PatchOperation[],
): Fields {
  const draft = structuredClone(resource) as Draft;
  for (const operation of operations) apply(type, draft, operation);
  requireRequired(type, draft);
  return draft;
}

function apply(type: ResourceType, draft: Draft, { op, path, value = null }: PatchOperation): void {
  if (path !== undefined) {
    const target = parsePath(type, path);
    if (mayChange(target)) change(draft, op, target, value);
    return;
  }
  if (!isFields(value)) throw new ScimError('invalidValue', 'Without a "path", "value" must be an object.');
  for (const [name, given] of Object.entries(value)) {
    // Names here are paths too: Entra ID sends "name.givenName" and "urn:...:User:department". Others are nobody's.
    const target = targetOf(type, name);
    if (target && isWritable(target)) change(draft, op, target, given);
  }
}

function change(draft: Draft, op: PatchOperation['op'], target: PatchTarget, value: Json): void {
  if ('wholeExtension' in target) return changeExtension(draft, op, target.wholeExtension, value);
  const home = target.extension === undefined ? draft : homeOf(draft, target.extension);
  if (op === 'remove') remove(home, target, value);
  // Nothing, put in the place of something: Entra ID clears attributes by "" and null.
  else if (isNothing(value) && (op === 'replace' || !Array.isArray(value))) remove(home, target, null);
  else if (!isNothing(value)) put(home, op, target, value);
  if (target.extension !== undefined && Object.keys(home).length === 0) delete draft[target.extension];
}

function changeExtension(draft: Draft, op: PatchOperation['op'], schema: Schema, value: Json): void {
  if (op === 'remove' || value === null) {
    delete draft[schema.id];
    return;
  }
  if (!isFields(value)) throw new ScimError('invalidValue', `"${schema.id}" must be an object.`);
  for (const [name, given] of Object.entries(value)) {
    const attribute = schema.attributes.find((one) => one.name.toLowerCase() === name.toLowerCase());
    if (attribute) change(draft, op, { extension: schema.id, attribute }, given);
  }
}

function homeOf(draft: Draft, urn: string): Draft {
  const known = draft[urn];
  if (isFields(known)) return known;
  const home: Draft = {};
  draft[urn] = home;
  return home;
}

function put(home: Draft, op: 'add' | 'replace', path: PatchPath, value: Json): void {
  const { attribute, sub, filter } = path;
  if (!attribute.multiValued) return putSingle(home, attribute, sub, value);
  const items = listAt(home, attribute);
  if (filter || sub) return putInItems(home, path, items, value);
  const given = readValue(attribute, value);
  const added = Array.isArray(given) ? (given as readonly Json[]) : [];
  const kept = op === 'replace' ? [] : items;
  const fresh = added.filter((item) => !kept.some((other) => isSame(item, other)));
  setList(home, attribute, withOnePrimary([...kept, ...fresh], fresh.find(isPrimary)));
}

function putSingle(home: Draft, attribute: Attribute, sub: Attribute | undefined, value: Json): void {
  if (attribute.type !== 'complex') {
    setOrDelete(home, attribute.name, readValue(attribute, value));
    return;
  }
  const before = isFields(home[attribute.name]) ? (home[attribute.name] as Fields) : {};
  const given = readOne(attribute, sub ? { [sub.name]: value } : value);
  // Parts that are not named stay as they are; those that are named as nothing go.
  const cleared = !sub && isFields(value) ? namesOfNothing(attribute, value) : [];
  const after: Draft = { ...before, ...(isFields(given) ? given : {}) };
  for (const name of cleared) delete after[name];
  setOrDelete(home, attribute.name, Object.keys(after).length === 0 ? undefined : after);
}

function namesOfNothing(attribute: Attribute, value: Fields): string[] {
  return (attribute.subAttributes ?? [])
    .filter((part) =>
      Object.entries(value).some(
        ([name, given]) => name.toLowerCase() === part.name.toLowerCase() && isNothing(given),
      ),
    )
    .map(({ name }) => name);
}

/** Changes the items that a filter names, or all; where there is none, one is made that fits, as Entra ID expects. */
function putInItems(home: Draft, path: PatchPath, items: readonly Json[], value: Json): void {
  const { attribute, sub, filter } = path;
  const chosen = items.filter((item) => isChosen(item, filter));
  if (chosen.length === 0) {
    const made = sub && (filter ? itemFitting(filter) : {});
    const item = made && readOne(attribute, { ...made, [sub.name]: value });
    if (!item)
      throw new ScimError('noTarget', `No value of "${attribute.name}" fits what is in the brackets.`);
    setList(home, attribute, withOnePrimary([...items, item], isPrimary(item) ? item : undefined));
    return;
  }
  const changed = items.map((item) => {
    if (!chosen.includes(item)) return item;
    const next = sub && isFields(item) ? { ...item, [sub.name]: value } : value;
    return readOne(attribute, next) ?? null;
  });
  const primary = changed.find((item, at) => isPrimary(item) && !isPrimary(items[at] ?? null));
  setList(
    home,
    attribute,
    withOnePrimary(
      changed.filter((item) => item !== null),
      primary,
    ),
  );
}

/** What a new item must have to fit a filter; undefined where that does not follow from it. */
export function itemFitting(filter: Filter): Fields | undefined {
  if (filter.kind === 'compare' && filter.operator === 'eq' && filter.value !== null)
    return { [filter.path.attribute.name]: filter.value };
  if (filter.kind !== 'and') return undefined;
  const parts = filter.parts.map(itemFitting);
  return parts.every((part) => part !== undefined) ? Object.assign({}, ...parts) : undefined;
}

function remove(home: Draft, { attribute, sub, filter }: PatchPath, value: Json): void {
  if (attribute.required && !sub) throw new ScimError('mutability', `"${attribute.name}" cannot be removed.`);
  if (!attribute.multiValued) {
    const before = home[attribute.name];
    if (!sub) delete home[attribute.name];
    else if (isFields(before)) setOrDelete(home, attribute.name, without(before, sub.name));
    return;
  }
  // Entra ID names by "value" which ones are meant: read literally, its request would remove all.
  const named = filter || sub || isNothing(value) ? undefined : readValue(attribute, value);
  const isMeant = (item: Json): boolean =>
    Array.isArray(named) ? named.some((one) => isNamed(item, one as Json)) : isChosen(item, filter);
  const left = listAt(home, attribute).flatMap((item): readonly Json[] => {
    if (!isMeant(item)) return [item];
    const rest = sub && isFields(item) ? without(item, sub.name) : undefined;
    return rest ? [rest] : [];
  });
  setList(home, attribute, left);
}

function isChosen(item: Json, filter: Filter | undefined): boolean {
  return filter === undefined || (isFields(item) && fits(filter, item));
}

/** By its `value`, where it has one. */
function isNamed(item: Json, name: Json): boolean {
  if (isFields(item) && isFields(name) && name['value'] !== undefined) return item['value'] === name['value'];
  return isSame(item, name);
}

function without(fields: Fields, name: string): Fields | undefined {
  const { [name]: _gone, ...rest } = fields;
  return Object.keys(rest).length === 0 ? undefined : rest;
}

/** One that becomes the primary one takes that from the others (RFC 7644 section 3.5.2). */
function withOnePrimary(items: readonly Json[], primary: Json | undefined): Json[] {
  if (primary === undefined) return [...items];
  return items.map((item) =>
    item !== primary && isPrimary(item) ? { ...(item as Fields), primary: false } : item,
  );
}

function listAt(home: Draft, { name }: Attribute): readonly Json[] {
  const value = home[name];
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}

function setList(home: Draft, attribute: Attribute, items: readonly Json[]): void {
  setOrDelete(home, attribute.name, readValue(attribute, items));
}

function setOrDelete(home: Draft, name: string, value: Json | undefined): void {
  if (value === undefined) delete home[name];
  else home[name] = value;
}

/** Members of objects have no order. */
function isSame(left: Json, right: Json): boolean {
  if (!isFields(left) || !isFields(right)) return JSON.stringify(left) === JSON.stringify(right);
  const names = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...names].every((name) => isSame(left[name] ?? null, right[name] ?? null));
}

/** Passwords are taken and forgotten. @throws {ScimError} where it is not the client's to change */
function mayChange(target: PatchTarget): boolean {
  if (isWritable(target)) return true;
  if (!('wholeExtension' in target) && target.attribute.mutability === 'writeOnly') return false;
  const name = 'wholeExtension' in target ? target.wholeExtension.id : target.attribute.name;
  throw new ScimError('mutability', `"${name}" is not the client's to change.`);
}

function isWritable(target: PatchTarget): boolean {
  if ('wholeExtension' in target) return true;
  return (
    target.attribute.mutability !== 'readOnly' &&
    target.attribute.mutability !== 'writeOnly' &&
    target.sub?.mutability !== 'readOnly'
  );
}
