import { Injectable } from '@nestjs/common';
import { Openers } from '../encryption/index.js';
import { AuthConfig } from '../platform/config/index.js';
import { currentTenant, TenantDatabase } from '../platform/database/index.js';
import { milliseconds, Values, type Condition } from './narrowed.js';
import type { Fields } from './protocol/evaluate-filter.js';
import { schemasOf } from './protocol/read-resource.js';
import { USER_TYPE } from './protocol/resource-types.js';
import type { Opened, Selected } from './search.js';

/** Of a person of a directory, what is not sealed. */
interface Written {
  readonly id: string;
  readonly version: number;
  readonly created: Date;
  readonly modified: Date;
  readonly active: boolean;
  /** Of the account: it changes with who may sign in. */
  readonly account_version: number;
}

/** A person of a directory as it is stored. */
export interface UserRow extends Written, Record<string, unknown> {
  readonly attributes: Buffer;
  /** The groups that they are in, where those were read with it. */
  readonly groups?: readonly GroupOf[];
}

type GroupOf = readonly [id: string, name: string, direct: boolean];

/** Both what the directory says and whether the account may sign in are of the resource. */
export const LAST_MODIFIED = milliseconds('greatest(s.updated_at, u.updated_at)');
const COLUMNS = `s.id, s.attributes, s.version, ${milliseconds('s.created_at')} AS created, ${LAST_MODIFIED} AS modified,
  u.status = 'active' AS active, u.version AS account_version`;
/** Of so many it is a read as by key, which may share a connection with others. */
const FEW = 10;
const FROM = 'scim_users s JOIN users u ON u.id = s.id';

/** Of a person, whom an expression names: the groups that they are in, themselves or by other groups. */
function groupsOf(person: string): string {
  return `(WITH RECURSIVE found AS (
      SELECT group_id AS id, true AS direct FROM group_members WHERE user_id = ${person}
      UNION SELECT p.group_id, false FROM found f JOIN group_subgroups p ON p.member_id = f.id)
    SELECT coalesce(json_agg(json_build_array(f.id, g.display_name, f.direct) ORDER BY f.id), '[]')
    FROM (SELECT id, bool_or(direct) AS direct FROM found GROUP BY id) f JOIN groups g ON g.id = f.id)`;
}

function columns(withGroups: boolean): string {
  return withGroups ? `${COLUMNS}, ${groupsOf('s.id')} AS groups` : COLUMNS;
}

/** The people of a directory, read. What is sealed is opened for a page at once. */
@Injectable()
export class UserRows {
  constructor(
    private readonly database: TenantDatabase,
    private readonly openers: Openers,
    private readonly config: AuthConfig,
  ) {}

  async one(directoryId: string, id: string, withGroups = false): Promise<UserRow | undefined> {
    const [row] = await this.database.query<UserRow>({
      name: withGroups ? 'scim_user_groups' : 'scim_user',
      text: `SELECT ${columns(withGroups)} FROM ${FROM} WHERE s.id = $1 AND s.directory_id = $2 AND s.removed_at IS NULL`,
      values: [id, directoryId],
    });
    return row;
  }

  /** Of whatever directory, as the person themselves sees it. */
  async own(id: string): Promise<UserRow | undefined> {
    const [row] = await this.database.query<UserRow>({
      text: `SELECT ${COLUMNS} FROM ${FROM} WHERE s.id = $1 AND s.removed_at IS NULL`,
      values: [id],
    });
    return row;
  }

  select(directoryId: string, asked: Selected): Promise<UserRow[]> {
    const { where, order, limit, offset = 0, after, withApart = false } = asked;
    const values = new Values();
    const conditions = [
      `s.directory_id = ${values.add(directoryId)}`,
      's.removed_at IS NULL',
      ...(where ? [`(${where.write(values)})`] : []),
      ...(after === undefined ? [] : [`s.id > ${values.add(after)}`]),
    ];
    const often = where?.name !== undefined && order === undefined && after === undefined && offset === 0;
    return this.database.query<UserRow>({
      ...(often && { name: `scim_users_${where.name}_${limit}${withApart ? '_groups' : ''}` }),
      text: `SELECT ${columns(withApart)} FROM ${FROM} WHERE ${conditions.join(' AND ')}
        ORDER BY ${order ?? 's.id'} LIMIT ${limit} OFFSET ${offset}`,
      values: values.list,
    });
  }

  async count(directoryId: string, where: Condition | undefined): Promise<number> {
    const values = new Values();
    const [row] = await this.database.query<{ count: number }>({
      text: `SELECT count(*)::int AS count FROM ${FROM}
        WHERE s.directory_id = ${values.add(directoryId)} AND s.removed_at IS NULL ${where ? `AND (${where.write(values)})` : ''}`,
      values: values.list,
    });
    return row?.count ?? 0;
  }

  /** What the directory says of one. */
  async said({ id, attributes }: UserRow): Promise<Fields> {
    const tenant = currentTenant();
    const place = placeOf(tenant.id, id);
    const open = await this.openers.of(tenant, [{ ...place, bytes: attributes }]);
    return JSON.parse(open(place, attributes).toString('utf8')) as Fields;
  }

  /** What is answered of each, with the groups that they are in where those are wanted. */
  async open(rows: readonly UserRow[], withGroups: boolean): Promise<Opened[]> {
    const tenant = currentTenant();
    const stored = rows.map(({ attributes }) => attributes);
    const placed = rows.map(({ id, attributes: bytes }) => ({ ...placeOf(tenant.id, id), bytes }));
    const open = this.openers.warm(tenant.id, stored) ?? (await this.openers.of(tenant, placed));
    const groups = withGroups ? await this.#groups(rows) : undefined;
    return rows.map((row) => {
      const said = JSON.parse(open(placeOf(tenant.id, row.id), row.attributes).toString('utf8')) as Fields;
      return { id: row.id, resource: this.#resource(row, said, groups?.get(row.id)) };
    });
  }

  /** The same of one who has just been written, and of whom nothing has to be opened. */
  resourceOf(row: Written, said: Fields): Fields {
    return this.#resource(row, said, undefined);
  }

  #resource(row: Written, said: Fields, groups: readonly GroupOf[] | undefined): Fields {
    return {
      schemas: schemasOf(USER_TYPE, said),
      id: row.id,
      ...said,
      active: row.active,
      ...(groups?.length && { groups: groups.map((group) => this.#group(group)) }),
      meta: {
        resourceType: 'User',
        created: row.created.toISOString(),
        lastModified: row.modified.toISOString(),
        location: `${baseUrl(this.config)}/Users/${row.id}`,
        version: etagOf(row),
      },
    };
  }

  #group([id, name, direct]: GroupOf): Fields {
    const $ref = `${baseUrl(this.config)}/Groups/${id}`;
    return { value: id, $ref, display: name, type: direct ? 'direct' : 'indirect' };
  }

  /** As they were read with the rows, or for all that were not. */
  async #groups(rows: readonly UserRow[]): Promise<Map<string, readonly GroupOf[]>> {
    const ids = rows.filter(({ groups }) => !groups).map(({ id }) => id);
    const read =
      ids.length === 0
        ? []
        : await this.database.query<{ id: string; groups: readonly GroupOf[] }>({
            ...(ids.length <= FEW && { name: 'scim_groups_of' }),
            text: `SELECT p.id, ${groupsOf('p.id')} AS groups FROM unnest($1::uuid[]) AS p (id)`,
            values: [ids],
          });
    const all = [...rows, ...read];
    return new Map(all.flatMap(({ id, groups }) => (groups ? [[id, groups] as const] : [])));
  }
}

function placeOf(tenant: string, row: string) {
  return { tenant, table: 'scim_users', column: 'attributes', row };
}

export function baseUrl({ issuer }: AuthConfig): string {
  return `${issuer.replace(/\/$/, '')}/scim/v2`;
}

/** Weak, as how the resource is written may change while it is the same. */
export function etagOf({ version, account_version: account }: Written): string {
  return `W/"${version}.${account}"`;
}
