import { KIND_OF_GAIN } from './gained.js';
import { Injectable } from '@nestjs/common';
import { TenantDatabase } from '../platform/database/index.js';
import { InvalidRequest } from '../platform/http/errors.js';
import { GroupCycle, GroupsNestedTooDeep, TooManyMembers } from './groups.errors.js';
import type { MembersChanged } from './members.js';

/** Groups in groups in groups: so many levels, the outermost counted. */
const LEVELS = 8;
const MOST = 1_000;
const REPORTED = 20;

interface Named extends Record<string, unknown> {
  readonly member_id: string;
}

/**
 * The groups in a group, as sets. For a group that is locked (`Groups.locked`), in the unit of work of whoever calls.
 * Everybody who is in one of them, directly or not, is told.
 */
@Injectable()
export class Subgroups {
  constructor(private readonly database: TenantDatabase) {}

  /** @throws {InvalidRequest | GroupCycle | GroupsNestedTooDeep} */
  async add(groupId: string, ids: readonly string[]): Promise<MembersChanged> {
    if (ids.length === 0) return { added: [], removed: [] };
    await this.hold();
    await this.#requireFit(groupId, ids);
    const rows = await this.database.query<Named>({
      text: `INSERT INTO group_subgroups (group_id, member_id) SELECT $1, g.id FROM groups g WHERE g.id = ANY ($2::uuid[])
        ON CONFLICT DO NOTHING RETURNING member_id`,
      values: [groupId, ids],
    });
    return this.#changed(groupId, { added: rows.map(idOf), removed: [] });
  }

  async remove(groupId: string, ids: readonly string[]): Promise<MembersChanged> {
    if (ids.length === 0) return { added: [], removed: [] };
    await this.hold();
    const rows = await this.database.query<Named>({
      text: 'DELETE FROM group_subgroups WHERE group_id = $1 AND member_id = ANY ($2::uuid[]) RETURNING member_id',
      values: [groupId, ids],
    });
    return this.#changed(groupId, { added: [], removed: rows.map(idOf) });
  }

  /** @throws {InvalidRequest | GroupCycle | GroupsNestedTooDeep} */
  async replace(groupId: string, ids: readonly string[]): Promise<MembersChanged> {
    const kept = new Set(ids);
    const there = await this.list(groupId);
    const { removed } = await this.remove(
      groupId,
      there.filter((id) => !kept.has(id)),
    );
    const { added } = await this.add(
      groupId,
      ids.filter((id) => !there.includes(id)),
    );
    return { added, removed };
  }

  /** At most 1,000, by their ids. */
  async list(groupId: string): Promise<string[]> {
    const rows = await this.database.query<Named>({
      text: `SELECT member_id FROM group_subgroups WHERE group_id = $1 ORDER BY member_id LIMIT ${MOST}`,
      values: [groupId],
    });
    return rows.map(idOf);
  }

  /**
   * Nobody else changes which group is in which until the end of the transaction: two that are put into each other at once
   * cannot both be right. Whoever holds it waits for no group's lock afterwards.
   */
  async hold(): Promise<void> {
    await this.database.query({
      text: 'INSERT INTO group_nesting (held) VALUES (true) ON CONFLICT (held) DO UPDATE SET held = true',
      values: [],
    });
  }

  /** Tells every process of the people who are in one of these groups, directly or not, in one statement. */
  async announcePeople(ids: readonly string[], kind = `'user'`): Promise<void> {
    await this.database.query({
      text: `WITH RECURSIVE inside AS (
          SELECT id FROM unnest($1::uuid[]) AS id
          UNION SELECT s.member_id FROM inside JOIN group_subgroups s ON s.group_id = inside.id)
        SELECT work.announce(${kind}, user_id::text)
        FROM (SELECT DISTINCT m.user_id FROM group_members m JOIN inside ON inside.id = m.group_id) AS people`,
      values: [ids],
    });
  }

  async #changed(groupId: string, changed: MembersChanged): Promise<MembersChanged> {
    const concerned = [...changed.added, ...changed.removed];
    if (concerned.length === 0) return changed;
    await this.database.query({
      text: 'UPDATE groups SET version = version + 1, updated_at = now() WHERE id = $1',
      values: [groupId],
    });
    await this.announcePeople(changed.removed);
    await this.announcePeople(changed.added, KIND_OF_GAIN);
    return changed;
  }

  async #requireFit(groupId: string, ids: readonly string[]): Promise<void> {
    const missing = await this.database.query<{ id: string }>({
      text: `SELECT id FROM unnest($1::uuid[]) AS named (id)
        WHERE NOT EXISTS (SELECT 1 FROM groups g WHERE g.id = named.id) LIMIT ${REPORTED}`,
      values: [ids],
    });
    if (missing.length > 0)
      throw new InvalidRequest(
        missing.map(({ id }) => ({ pointer: '', detail: `there is no group ${id} in the organisation` })),
      );
    const [found] = await this.database.query<{ levels: number; cycle: boolean; inside: number }>({
      text: `WITH RECURSIVE up AS (
          SELECT $1::uuid AS id, 1 AS level
          UNION SELECT s.group_id, up.level + 1 FROM up JOIN group_subgroups s ON s.member_id = up.id WHERE up.level <= $3),
        down AS (
          SELECT id, 1 AS level FROM unnest($2::uuid[]) AS id
          UNION SELECT s.member_id, down.level + 1 FROM down JOIN group_subgroups s ON s.group_id = down.id WHERE down.level <= $3)
        SELECT (SELECT max(level) FROM up) + (SELECT max(level) FROM down) AS levels,
          EXISTS (SELECT 1 FROM down JOIN up USING (id)) AS cycle,
          (SELECT count(*)::int FROM (SELECT member_id FROM group_subgroups WHERE group_id = $1
            UNION SELECT id FROM unnest($2::uuid[]) AS id) AS named) AS inside`,
      values: [groupId, ids, LEVELS],
    });
    if (found?.cycle) throw new GroupCycle();
    if ((found?.levels ?? 0) > LEVELS) throw new GroupsNestedTooDeep(LEVELS);
    if ((found?.inside ?? 0) > MOST) throw new TooManyMembers(MOST);
  }
}

function idOf({ member_id: id }: Named): string {
  return id;
}
