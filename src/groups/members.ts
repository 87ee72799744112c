import { Injectable } from '@nestjs/common';
import { announceUsers, TenantDatabase } from '../platform/database/index.js';
import { InvalidRequest } from '../platform/http/errors.js';
import { KIND_OF_GAIN } from './gained.js';
import { TooManyMembers } from './groups.errors.js';

/** How many were put in and taken out. */
export interface MembersChanged {
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

export interface MemberRow extends Record<string, unknown> {
  readonly user_id: string;
  readonly added_at: Date;
}

const MOST = 100_000;
const REPORTED = 20;

const ADD = `INSERT INTO group_members (group_id, user_id)
    SELECT $1, u.id FROM users u WHERE u.id = ANY ($2::uuid[]) AND u.status <> 'erased' ORDER BY u.id FOR KEY SHARE OF u
    ON CONFLICT DO NOTHING RETURNING user_id`;
const REMOVE = `DELETE FROM group_members WHERE group_id = $1 AND user_id = ANY ($2::uuid[]) RETURNING user_id`;
const REMOVE_OTHERS = `DELETE FROM group_members m WHERE group_id = $1
    AND NOT EXISTS (SELECT 1 FROM unnest($2::uuid[]) AS kept (id) WHERE kept.id = m.user_id) RETURNING user_id`;
const NOBODY = 'SELECT NULL::uuid AS user_id WHERE false';

/** One statement: who is put in and taken out, the group as it is then, and the word of it to every process at the commit. */
function changing(removed: string, added: string): string {
  return `WITH removed AS (${removed}), added AS (${added}),
    changed AS (SELECT user_id, false AS added FROM removed UNION ALL SELECT user_id, true FROM added),
    counted AS (
      UPDATE groups SET people = people + (SELECT count(*) FROM added) - (SELECT count(*) FROM removed),
        version = version + 1, updated_at = now()
      WHERE id = $1 AND EXISTS (SELECT 1 FROM changed) RETURNING people)
    SELECT user_id, added, people, work.announce(CASE WHEN added THEN ${KIND_OF_GAIN} ELSE 'user' END, user_id::text)
    FROM changed, counted`;
}

const CHANGES = {
  add: { name: 'members_add', text: changing(NOBODY, ADD) },
  remove: { name: 'members_remove', text: changing(REMOVE, NOBODY) },
  replace: { name: 'members_replace', text: changing(REMOVE_OTHERS, ADD) },
} as const;

/**
 * The people in a group, as sets: one statement adds or removes all that are named. For a group that is locked
 * (`Groups.locked`), in the unit of work of whoever calls. Whose membership has changed is told to every process; whoever
 * is there already, or not there any more, is neither changed nor told.
 */
@Injectable()
export class Members {
  constructor(private readonly database: TenantDatabase) {}

  /** @throws {InvalidRequest} naming those who do not exist */
  async add(groupId: string, ids: readonly string[]): Promise<MembersChanged> {
    await this.#requirePeople(ids);
    return this.change('add', groupId, ids);
  }

  remove(groupId: string, ids: readonly string[]): Promise<MembersChanged> {
    return this.change('remove', groupId, ids);
  }

  /** Those who are named are in it afterwards, and nobody else. @throws {InvalidRequest} naming those who do not exist */
  async replace(groupId: string, ids: readonly string[]): Promise<MembersChanged> {
    await this.#requirePeople(ids);
    return this.change('replace', groupId, ids);
  }

  /** For people who are known to exist: whoever does not is not put in. */
  async change(kind: keyof typeof CHANGES, groupId: string, ids: readonly string[]): Promise<MembersChanged> {
    const rows = await this.database.query<{ user_id: string; added: boolean; people: number }>({
      ...CHANGES[kind],
      values: [groupId, ids],
    });
    if ((rows[0]?.people ?? 0) > MOST) throw new TooManyMembers(MOST);
    return {
      added: rows.filter(({ added }) => added).map(({ user_id: id }) => id),
      removed: rows.filter(({ added }) => !added).map(({ user_id: id }) => id),
    };
  }

  /** Takes a person out of all groups that a directory provides. */
  async removeFromDirectory(userId: string, directory: string): Promise<void> {
    // In one order: two who leave the same groups at once do not wait for each other.
    await this.database.query({
      text: `SELECT id FROM groups WHERE directory = $2 AND id IN (SELECT group_id FROM group_members WHERE user_id = $1)
        ORDER BY id FOR NO KEY UPDATE`,
      values: [userId, directory],
    });
    await this.database.query({
      text: `WITH gone AS (
          DELETE FROM group_members m USING groups g WHERE g.id = m.group_id AND g.directory = $2 AND m.user_id = $1
          RETURNING m.group_id)
        UPDATE groups SET people = people - 1, version = version + 1, updated_at = now() WHERE id IN (SELECT group_id FROM gone)`,
      values: [userId, directory],
    });
    await this.database.query(announceUsers([userId]));
  }

  /** By their ids; one more than `limit` tells that there are others. */
  list(groupId: string, after: string | undefined, limit: number): Promise<MemberRow[]> {
    return this.database.query<MemberRow>({
      text: `SELECT user_id, added_at FROM group_members WHERE group_id = $1 AND ($2::uuid IS NULL OR user_id > $2)
        ORDER BY user_id LIMIT $3`,
      values: [groupId, after ?? null, limit + 1],
    });
  }

  async #requirePeople(ids: readonly string[]): Promise<void> {
    const missing = await this.database.query<{ id: string }>({
      text: `SELECT id FROM unnest($1::uuid[]) AS named (id)
        WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id = named.id AND u.status <> 'erased') LIMIT ${REPORTED}`,
      values: [ids],
    });
    if (missing.length > 0)
      throw new InvalidRequest(
        missing.map(({ id }) => ({ pointer: '', detail: `there is no person ${id} in the organisation` })),
      );
  }
}
