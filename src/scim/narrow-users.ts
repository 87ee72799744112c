import { Injectable } from '@nestjs/common';
import { BlindLookup, slotsOf, type Indexed } from '../encryption/index.js';
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
import { comparedPart, type Filter } from './protocol/filter.js';
import { ScimError } from './protocol/scim.errors.js';
import { directoryKey, ScimEmailEntity, ScimUserEntity } from './scim-user.entity.js';
import { LAST_MODIFIED } from './user-rows.js';

type Compare = Extract<Filter, { kind: 'compare' }>;

/** So many people share an address or an external id at most. */
const MOST_SHARING = 1_000;

/**
 * What SQL can tell of a filter of people. What a directory says of a person is sealed: of that, equality of `userName`,
 * `externalId` and e-mail addresses is found by blind indexes; `id`, `active`, `groups` and times are not personal.
 */
@Injectable()
export class NarrowUsers {
  constructor(private readonly lookup: BlindLookup) {}

  condition(directoryId: string, filter: Filter): Promise<Condition | undefined> {
    const asked = filter.kind === 'compare' ? this.#asked(directoryId, filter) : undefined;
    if (asked) return asked.then(indexedBy);
    const leaf: NarrowLeaf = (one) => {
      if (one.kind === 'some') return this.#some(directoryId, one);
      return one.kind === 'compare' ? this.#compare(directoryId, one) : Promise.resolve(undefined);
    };
    return narrow(filter, leaf);
  }

  /** What identity providers ask for most, alone: the row is found by its index in the statement that reads it. */
  #asked(directoryId: string, { path, operator, value }: Compare): Promise<Indexed> | undefined {
    const { extension, attribute, sub } = path;
    if (extension !== undefined || sub || operator !== 'eq' || typeof value !== 'string') return undefined;
    const { name } = attribute;
    if (name !== 'userName' && name !== 'externalId') return undefined;
    return this.lookup.indexed(ScimUserEntity, name, keyOf(directoryId, name, value));
  }

  async #compare(directoryId: string, filter: Compare): Promise<Condition | undefined> {
    const { path, operator, value } = filter;
    if (path.extension !== undefined) return undefined;
    const name = [path.attribute.name, ...(path.sub ? [path.sub.name] : [])].join('.');
    switch (name) {
      case 'id':
        return equal(filter, 's.id::text', 'text');
      case 'active':
        return equal(filter, `(u.status = 'active')`, 'boolean');
      case 'meta.created':
        return compared(filter, milliseconds('s.created_at'), 'timestamptz');
      case 'meta.lastModified':
        return compared(filter, LAST_MODIFIED, 'timestamptz');
      default:
        return operator === 'eq' && typeof value === 'string'
          ? this.#found(directoryId, name, value)
          : undefined;
    }
  }

  async #found(directoryId: string, name: string, value: string): Promise<Condition | undefined> {
    switch (name) {
      case 'userName':
        return among(await this.#userNamed(directoryId, value));
      case 'externalId':
        return among(await this.#known(directoryId, value));
      case 'emails':
      case 'emails.value':
        return among(await this.#withEmail(directoryId, value));
      case 'groups':
      case 'groups.value':
        return inGroup(value);
      default:
        return undefined;
    }
  }

  /** Of what stands in brackets, what has to hold for a value as a whole: `emails[type eq "work" and value eq "x"]`. */
  async #some(
    directoryId: string,
    { path, inner }: Extract<Filter, { kind: 'some' }>,
  ): Promise<Condition | undefined> {
    const parts = inner.kind === 'and' ? inner.parts : [inner];
    for (const part of parts) {
      if (part.kind !== 'compare' || part.path.attribute.name !== 'value') continue;
      const condition = await this.#compare(directoryId, {
        ...part,
        path: { ...path, sub: comparedPart(path) },
      });
      // One value of several has to fit all of it: that one fits this part is not enough.
      if (condition) return { write: condition.write, exact: false };
    }
    return undefined;
  }

  #userNamed(directoryId: string, userName: string): Promise<string[]> {
    return this.lookup.select(ScimUserEntity, 'userName', keyOf(directoryId, 'userName', userName), {
      within: { column: 'directory_id', value: directoryId },
      limit: MOST_SHARING + 1,
    });
  }

  #known(directoryId: string, externalId: string): Promise<string[]> {
    const key = keyOf(directoryId, 'externalId', externalId);
    return this.lookup.select(ScimUserEntity, 'externalId', key, { limit: MOST_SHARING + 1 });
  }

  #withEmail(directoryId: string, address: string): Promise<string[]> {
    const key = directoryKey(directoryId, address);
    return this.lookup.select(ScimEmailEntity, 'address', key, {
      column: 'user_id',
      limit: MOST_SHARING + 1,
    });
  }
}

/** Equal indexes are equal values as they are looked up; how they are written is looked at once more. */
function among(ids: readonly string[]): Condition {
  if (ids.length > MOST_SHARING)
    throw new ScimError('tooMany', `More than ${MOST_SHARING} people have it: ask for more of them.`);
  return { write: (values) => `s.id = ANY (${values.add(ids)}::uuid[])`, exact: false, name: 'among' };
}

function keyOf(directoryId: string, name: 'userName' | 'externalId', value: string): string {
  return directoryKey(directoryId, value, name === 'externalId');
}

/** As `among`, of the rows themselves. */
function indexedBy({ sealed, columns, anew }: Indexed): Condition {
  return {
    write: (values) => columns.map(({ name, index }) => `s."${name}" = ${values.add(index)}`).join(' OR '),
    exact: false,
    name: `${sealed}_${slotsOf(columns)}`,
    anew: async () => {
      const now = await anew();
      return now && indexedBy(now);
    },
  };
}

/** In the group, directly or through others. */
function inGroup(id: string): Condition {
  if (!UUID.test(id)) return NOBODY;
  return {
    write: (values) => `s.id IN (WITH RECURSIVE inside AS (
        SELECT ${values.add(id)}::uuid AS id
        UNION SELECT g.member_id FROM inside JOIN group_subgroups g ON g.group_id = inside.id)
      SELECT m.user_id FROM group_members m JOIN inside ON inside.id = m.group_id)`,
    exact: true,
  };
}
