import { folded } from './folded.js';
import {
  compared,
  equal,
  milliseconds,
  narrow,
  NOBODY,
  UUID,
  type Condition,
  type NarrowLeaf,
} from './narrowed.js';
import type { Filter } from './protocol/filter.js';

type Compare = Extract<Filter, { kind: 'compare' }>;

/** What SQL can tell of a filter of groups, whose attributes are not personal. */
export function narrowGroups(filter: Filter): Promise<Condition | undefined> {
  const leaf: NarrowLeaf = (one) => {
    if (one.kind === 'compare') return Promise.resolve(compare(one));
    return Promise.resolve(one.kind === 'some' ? someMember(one) : present(one));
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

function present({ path }: Extract<Filter, { kind: 'present' }>): Condition | undefined {
  switch (path.attribute.name) {
    case 'displayName':
      return { write: () => 'true', exact: true };
    case 'externalId':
      return { write: () => `coalesce(s.external_id, '') <> ''`, exact: true };
    case 'members':
      return path.sub ? undefined : { write: () => SOME_MEMBER, exact: true };
    default:
      return undefined;
  }
}

const SOME_MEMBER = `EXISTS (SELECT 1 FROM group_members m WHERE m.group_id = s.id)
  OR EXISTS (SELECT 1 FROM group_subgroups g WHERE g.group_id = s.id)`;

function text({ operator, value }: Compare, column: string, caseExact: boolean): Condition | undefined {
  return typeof value === 'string' ? folded(operator, column, value, caseExact) : undefined;
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
