import { Injectable } from '@nestjs/common';
import { AuthConfig } from '../platform/config/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { milliseconds, Values, type Condition } from './narrowed.js';
import type { Fields } from './protocol/evaluate-filter.js';
import { GROUP_SCHEMA } from './protocol/resource-types.js';
import { ScimError } from './protocol/scim.errors.js';
import type { Opened, Selected } from './search.js';
import { baseUrl } from './user-rows.js';

/** A group of a directory as it is stored. */
export interface ScimGroupRow extends Record<string, unknown> {
  readonly id: string;
  readonly display_name: string;
  readonly external_id: string | null;
  readonly people: number;
  readonly version: number;
  readonly created: Date;
  readonly modified: Date;
}

/** Members of all groups of one answer. */
const MOST_MEMBERS = 100_000;
const COLUMNS = `s.id, s.display_name, s.external_id, s.people, s.version, ${milliseconds('s.created_at')} AS created,
  ${milliseconds('s.updated_at')} AS modified`;

/** The groups of a directory, read. */
@Injectable()
export class GroupRows {
  constructor(
    private readonly database: TenantDatabase,
    private readonly config: AuthConfig,
  ) {}

  async one(directoryId: string, id: string): Promise<ScimGroupRow | undefined> {
    const [row] = await this.database.query<ScimGroupRow>({
      name: 'scim_group',
      text: `SELECT ${COLUMNS} FROM groups s WHERE s.id = $1 AND s.directory = $2`,
      values: [id, directoryId],
    });
    return row;
  }

  select(directoryId: string, { where, order, limit, offset = 0, after }: Selected): Promise<ScimGroupRow[]> {
    const values = new Values();
    const conditions = [
      `s.directory = ${values.add(directoryId)}`,
      ...(where ? [`(${where.write(values)})`] : []),
      ...(after === undefined ? [] : [`s.id > ${values.add(after)}`]),
    ];
    return this.database.query<ScimGroupRow>({
      text: `SELECT ${COLUMNS} FROM groups s WHERE ${conditions.join(' AND ')}
        ORDER BY ${order ?? 's.id'} LIMIT ${limit} OFFSET ${offset}`,
      values: values.list,
    });
  }

  async count(directoryId: string, where: Condition | undefined): Promise<number> {
    const values = new Values();
    const [row] = await this.database.query<{ count: number }>({
      text: `SELECT count(*)::int AS count FROM groups s
        WHERE s.directory = ${values.add(directoryId)} ${where ? `AND (${where.write(values)})` : ''}`,
      values: values.list,
    });
    return row?.count ?? 0;
  }

  /** @throws {ScimError} `tooMany` where they have more members together than one answer can hold */
  async open(rows: readonly ScimGroupRow[], withMembers: boolean): Promise<Opened[]> {
    const members = withMembers ? await this.#members(rows) : undefined;
    return rows.map((row) => ({ id: row.id, resource: this.#resource(row, members?.get(row.id)) }));
  }

  #resource(row: ScimGroupRow, members: readonly Fields[] | undefined): Fields {
    return {
      schemas: [GROUP_SCHEMA],
      id: row.id,
      ...(row.external_id !== null && { externalId: row.external_id }),
      displayName: row.display_name,
      ...(members && { members }),
      meta: {
        resourceType: 'Group',
        created: row.created.toISOString(),
        lastModified: row.modified.toISOString(),
        location: `${baseUrl(this.config)}/Groups/${row.id}`,
        version: groupEtag(row),
      },
    };
  }

  async #members(rows: readonly ScimGroupRow[]): Promise<Map<string, Fields[]>> {
    const total = rows.reduce((sum, { people }) => sum + people, 0);
    if (total > MOST_MEMBERS)
      throw new ScimError(
        'tooMany',
        `These groups have more than ${MOST_MEMBERS} members. Ask for fewer of them, or with excludedAttributes=members.`,
      );
    const found = await this.database.query<{ group_id: string; id: string; type: 'User' | 'Group' }>({
      text: `SELECT group_id, user_id AS id, 'User' AS type FROM group_members WHERE group_id = ANY ($1::uuid[])
        UNION ALL SELECT group_id, member_id, 'Group' FROM group_subgroups WHERE group_id = ANY ($1::uuid[])
        ORDER BY group_id, id`,
      values: [rows.map(({ id }) => id)],
    });
    const base = baseUrl(this.config);
    const byGroup = new Map<string, Fields[]>();
    for (const { group_id: groupId, id, type } of found) {
      const members = byGroup.get(groupId) ?? [];
      members.push({ value: id, $ref: `${base}/${type}s/${id}`, type });
      byGroup.set(groupId, members);
    }
    return byGroup;
  }
}

export function groupEtag({ version }: { readonly version: number }): string {
  return `W/"${version}"`;
}
