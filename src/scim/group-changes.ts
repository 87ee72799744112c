import { isFields, type Fields, type Json } from './protocol/evaluate-filter.js';
import type { Filter } from './protocol/filter.js';
import { parsePath, targetOf, type PatchOperation, type PatchPath } from './protocol/patch-request.js';
import { isNothing } from './protocol/read-value.js';
import { GROUP_TYPE } from './protocol/resource-types.js';
import { ScimError } from './protocol/scim.errors.js';

/** What happens to the members of a group, as sets, so that nobody has to read them first. */
export type MemberChange =
  | { readonly kind: 'add' | 'remove'; readonly ids: readonly string[] }
  | { readonly kind: 'replace'; readonly ids: readonly string[] }
  | { readonly kind: 'removeWhere'; readonly filter: Filter };

/** A PATCH of a group: what concerns its members, and what concerns its own attributes. */
export interface GroupPatch {
  readonly members: readonly MemberChange[];
  readonly attributes: readonly PatchOperation[];
}

const MOST = 20_000;

/** @throws {ScimError} */
export function readGroupPatch(operations: readonly PatchOperation[]): GroupPatch {
  const members: MemberChange[] = [];
  const attributes: PatchOperation[] = [];
  for (const operation of operations) {
    const { op, path, value } = operation;
    if (path !== undefined) {
      const target = parsePath(GROUP_TYPE, path);
      if (isMembers(target)) members.push(...memberChange(op, target, value));
      else attributes.push(operation);
    } else if (isFields(value)) {
      for (const [name, given] of Object.entries(value)) {
        const target = targetOf(GROUP_TYPE, name);
        if (target && isMembers(target)) members.push(...memberChange(op, target, given));
      }
      attributes.push({ op, value: withoutMembers(value) });
    } else throw new ScimError('invalidValue', 'Without a "path", "value" must be an object.');
  }
  return { members, attributes };
}

/** The members of a group that is created or put; undefined where nothing is said of them: they stay. */
export function membersIn(body: Json | undefined): string[] | undefined {
  if (!isFields(body)) return undefined;
  const entry = Object.entries(body).find(([name]) => name.toLowerCase() === 'members');
  return entry && memberIds(entry[1]);
}

/** A group as it was sent, without its members. */
export function withoutMembers(body: Fields): Fields {
  return Object.fromEntries(
    Object.entries(body).filter(([name]) => !/^members(?:[.[]|$)/i.test(name.trim())),
  );
}

function isMembers(target: ReturnType<typeof parsePath>): target is PatchPath {
  return !('wholeExtension' in target) && target.attribute.name === 'members';
}

function memberChange(
  op: PatchOperation['op'],
  { sub, filter }: PatchPath,
  value: Json | undefined,
): MemberChange[] {
  if (sub) {
    // A name for people, which is not kept.
    if (sub.name === 'display' && op !== 'remove') return [];
    throw new ScimError('mutability', 'A member is added or removed, not changed.');
  }
  if (filter) {
    if (op !== 'remove') throw new ScimError('mutability', 'A member is added or removed, not changed.');
    const ids = idsIn(filter);
    return [ids ? { kind: 'remove', ids } : { kind: 'removeWhere', filter }];
  }
  // Entra ID names those who are to be removed by "value"; read literally, it would empty the group.
  if (op === 'remove')
    return [isNothing(value) ? { kind: 'replace', ids: [] } : { kind: 'remove', ids: memberIds(value) }];
  return [{ kind: op, ids: memberIds(value) }];
}

/** `value eq "a"`, and several of those with `or`; undefined for whatever else is asked. */
function idsIn(filter: Filter): string[] | undefined {
  if (filter.kind === 'or') {
    const parts = filter.parts.map(idsIn);
    return parts.every((part) => part !== undefined) ? parts.flat() : undefined;
  }
  if (filter.kind !== 'compare' || filter.operator !== 'eq') return undefined;
  return filter.path.attribute.name === 'value' && typeof filter.value === 'string'
    ? [filter.value]
    : undefined;
}

function memberIds(value: Json | undefined): string[] {
  if (isNothing(value)) return [];
  const items = (Array.isArray(value) ? value : [value]) as readonly Json[];
  if (items.length > MOST) throw new ScimError('invalidValue', `More than ${MOST} members at once.`);
  return [...new Set(items.map(idOf))];
}

function idOf(item: Json): string {
  const id = isFields(item)
    ? Object.entries(item).find(([name]) => name.toLowerCase() === 'value')?.[1]
    : item;
  if (typeof id !== 'string') throw new ScimError('invalidValue', 'Each member must have a "value", its id.');
  return id.toLowerCase();
}
