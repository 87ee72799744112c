import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { TenantDatabase } from '../platform/database/index.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import { GROUP_COLUMNS, type GroupRow } from './group-row.js';
import { GroupNameTaken, TooManyGroups } from './groups.errors.js';
import { Subgroups } from './subgroups.js';

/** A group on the way in. */
export interface NewGroup {
  readonly displayName: string;
  readonly externalId?: string | undefined;
  readonly directory?: string | undefined;
  readonly createdBy: string;
}

const MOST = 10_000;
const UNIQUE_VIOLATION = '23505';

/** The groups of an organisation. What changes runs in the unit of work of whoever calls. */
@Injectable()
export class Groups {
  constructor(
    private readonly database: TenantDatabase,
    private readonly subgroups: Subgroups,
  ) {}

  /** @throws {ResourceNotFound} */
  async find(id: string): Promise<GroupRow> {
    return one(await this.#rows('WHERE id = $1', [id]));
  }

  /** In the order of their making; one more than `limit` tells that there are others. */
  list(after: string | undefined, limit: number): Promise<GroupRow[]> {
    return this.#rows('WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2', [after ?? null, limit + 1]);
  }

  /** @throws {GroupNameTaken | TooManyGroups} */
  async create({ displayName, externalId, directory, createdBy }: NewGroup): Promise<GroupRow> {
    const [counted] = await this.database.query<{ count: number }>({
      text: 'SELECT count(*)::int AS count FROM groups',
      values: [],
    });
    // One that is made beside this one is not counted: the limit is there for order, not for safety.
    if ((counted?.count ?? 0) >= MOST) throw new TooManyGroups(MOST);
    return this.#saved(
      `INSERT INTO groups (id, display_name, external_id, directory, created_by) VALUES ($1, $2, $3, $4, $5)
        RETURNING ${GROUP_COLUMNS}`,
      [uuidv7(), displayName, externalId ?? null, directory ?? null, createdBy],
    );
  }

  /**
   * A group whose members nobody else changes until the end of the transaction: each sees what the one before has done.
   * Being put into another group, or referred to otherwise, need not wait.
   * @throws {ResourceNotFound}
   */
  async locked(id: string): Promise<GroupRow> {
    return one(
      await this.database.query<GroupRow>({
        name: 'group_locked',
        text: `SELECT ${GROUP_COLUMNS} FROM groups WHERE id = $1 FOR NO KEY UPDATE`,
        values: [id],
      }),
    );
  }

  /** Of a locked group: what is undefined stays. @throws {GroupNameTaken} */
  rename(id: string, displayName: string | undefined, externalId?: string | null): Promise<GroupRow> {
    return this.#saved(
      `UPDATE groups SET display_name = coalesce($2, display_name),
          external_id = CASE WHEN $3 THEN $4 ELSE external_id END, version = version + 1, updated_at = now()
        WHERE id = $1 RETURNING ${GROUP_COLUMNS}`,
      [id, displayName ?? null, externalId !== undefined, externalId ?? null],
    );
  }

  /** Deletes a locked group. Whoever was in it, directly or not, is told. */
  async delete(id: string): Promise<void> {
    await this.subgroups.hold();
    await this.subgroups.announcePeople([id]);
    await this.database.query({ text: 'DELETE FROM groups WHERE id = $1', values: [id] });
  }

  /** Every group that a person is in, directly or through others: bounded by how many groups there may be. */
  async groupsOf(userId: string): Promise<string[]> {
    const rows = await this.database.query<{ group_id: string }>({
      name: 'groups_of',
      text: `WITH RECURSIVE found AS (
          SELECT group_id FROM group_members WHERE user_id = $1
          UNION SELECT s.group_id FROM found JOIN group_subgroups s ON s.member_id = found.group_id)
        SELECT group_id FROM found LIMIT ${MOST}`,
      values: [userId],
    });
    return rows.map(({ group_id: id }) => id);
  }

  #rows(rest: string, values: readonly unknown[]): Promise<GroupRow[]> {
    return this.database.query<GroupRow>({ text: `SELECT ${GROUP_COLUMNS} FROM groups ${rest}`, values });
  }

  async #saved(text: string, values: readonly unknown[]): Promise<GroupRow> {
    try {
      return one(await this.database.query<GroupRow>({ text, values }));
    } catch (error) {
      if ((error as { code?: string }).code === UNIQUE_VIOLATION) throw new GroupNameTaken();
      throw error;
    }
  }
}

function one([row]: readonly GroupRow[]): GroupRow {
  if (!row) throw new ResourceNotFound('group');
  return row;
}
