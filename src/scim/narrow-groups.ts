import {
  compared,
  equal,
  milliseconds,
  narrow,
  NOBODY,
  UUID,
  type Condition,
  type NarrowLeaf,
  type Values,
} from './narrowed.js';
import { comparable } from './protocol/evaluate-filter.js';
import type { Filter } from './protocol/filter.js';

type Compare = Extract<Filter, { kind: 'compare' }>;

/**
 * What SQL can tell of a filter of groups, whose attributes are not personal. Texts in other letters than those of ASCII
 * are let through to be looked at: what their small letters are, a database and we may see differently.
 */
export function narrowGroups(filter: Filter): Promise<Condition | undefined> {
  const leaf: NarrowLeaf = (one) => {
    if (one.kind === 'compare') return Promise.resolve(compare(one));
    return Promise.resolve(one.kind === 'some' ? someMember(one) : undefined);
  };
  return narrow(filter, leaf);
}

function compare(filter: Compare): Condition | undefined {
  const { path, operator, value } = filter;
  const name = [path.attribute.name, ...(path.sub ? [path.sub.name] : [])].join('.');
  switch (name) {
    case 'id':
      return equal(filter, 's.id::text', 'text');
    case 'displayName':
      return text(filter, 's.display_name', false);
    case 'externalId':
      return text(filter, 's.external_id', true);
    case 'meta.created':
      return compared(filter, milliseconds('s.created_at'), 'timestamptz');
    case 'meta.lastModified':
      return compared(filter, milliseconds('s.updated_at'), 'timestamptz');
    case 'members':
    case 'members.value':
      return operator === 'eq' && typeof value === 'string' ? hasMember(value) : undefined;
    default:
      return undefined;
  }
}

function text({ operator, value }: Compare, column: string, caseExact: boolean): Condition | undefined {
  const wanted = typeof value === 'string' ? comparable({ caseExact }, value) : '';
  const own = caseExact ? `(${column} COLLATE "C")` : `lower(${column} COLLATE "C")`;
  const told = toldOf(operator, own, wanted);
  if (!told || wanted === '') return undefined;
  const isOther = `octet_length(${column}) <> char_length(${column})`;
  return { write: (values) => `${told(values)} OR ${isOther}`, exact: false };
}

function toldOf(operator: string, own: string, wanted: string): ((values: Values) => string) | undefined {
  switch (operator) {
    case 'eq':
      return (values) => `${own} = ${values.add(wanted)}`;
    case 'co':
      return (values) => `position(${values.add(wanted)} IN ${own}) > 0`;
    case 'sw':
      return (values) => `starts_with(${own}, ${values.add(wanted)})`;
    case 'ew':
      return (values) => `right(${own}, char_length(${values.add(wanted)}::text)) = ${values.add(wanted)}`;
    default:
      return undefined;
  }
}

function someMember({ path, inner }: Extract<Filter, { kind: 'some' }>): Condition | undefined {
  const parts = inner.kind === 'and' ? inner.parts : [inner];
  for (const part of parts) {
    if (path.attribute.name !== 'members' || part.kind !== 'compare' || part.operator !== 'eq') continue;
    if (part.path.attribute.name !== 'value' || typeof part.value !== 'string') continue;
    return { ...hasMember(part.value), exact: parts.length === 1 };
  }
  return undefined;
}

/** Directly. */
function hasMember(id: string): Condition {
  if (!UUID.test(id)) return NOBODY;
  return {
    write: (values) => {
      const member = `${values.add(id)}::uuid`;
      return `EXISTS (SELECT 1 FROM group_members m WHERE m.group_id = s.id AND m.user_id = ${member})
        OR EXISTS (SELECT 1 FROM group_subgroups g WHERE g.group_id = s.id AND g.member_id = ${member})`;
    },
    exact: true,
  };
}
