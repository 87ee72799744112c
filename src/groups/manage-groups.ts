import { Injectable } from '@nestjs/common';
import { cursorKey, pageOf, UUID_KEY, type Page, type PageQuery } from '../platform/http/pagination.js';
import { VersionMismatch } from '../platform/http/parameters.js';
import { auditDetails, type Actor } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { GroupGrants } from '../roles/index.js';
import type { GroupRow } from './group-row.js';
import { GroupProvided } from './groups.errors.js';
import type { ChangeMembersDto, GroupDto, GroupFieldsDto, GroupMemberDto } from './groups.dto.js';
import { Groups } from './groups.js';
import { Members } from './members.js';
import { Subgroups } from './subgroups.js';

/** So many ids of members stand in an event; how many there were always does. */
const IDS_IN_EVENT = 100;

/** What administrators do to groups by hand. */
@Injectable()
export class ManageGroups {
  constructor(
    private readonly groups: Groups,
    private readonly members: Members,
    private readonly subgroups: Subgroups,
    private readonly work: UnitOfWork,
    private readonly grants: GroupGrants,
  ) {}

  create(actor: Actor, { displayName }: GroupFieldsDto): Promise<GroupDto> {
    return this.work.run(async () => {
      const group = await this.groups.create({ displayName, createdBy: actor.id });
      auditDetails({ resource: resource(group.id), changes: { displayName } });
      return groupDto(group);
    });
  }

  async list({ cursor, limit }: PageQuery): Promise<Page<GroupDto>> {
    const rows = await this.groups.list(cursorKey(cursor, UUID_KEY), limit);
    return pageOf(rows, limit, ({ id }) => id, groupDto);
  }

  async get(id: string): Promise<GroupDto> {
    const group = await this.groups.find(id);
    auditDetails({ resource: resource(id) });
    return groupDto(group);
  }

  rename(id: string, { displayName }: GroupFieldsDto, version: number | undefined): Promise<GroupDto> {
    return this.work.run(async () => {
      await this.#locked(id, version);
      auditDetails({ resource: resource(id), changes: { displayName } });
      return groupDto(await this.groups.rename(id, displayName));
    });
  }

  async delete(actor: Actor, id: string, version: number | undefined): Promise<void> {
    await this.work.run(async () => {
      const { display_name: displayName, people } = await this.#locked(id, version);
      auditDetails({ resource: resource(id), changes: { displayName, people } });
      await this.grants.requireLeavable(actor, id, { people: [], groups: [id] });
      await this.groups.delete(id);
    });
  }

  /** Whoever puts somebody in gives them what the group holds, and whoever takes somebody out may lift what forbids by it. */
  changeMembers(
    actor: Actor,
    id: string,
    body: ChangeMembersDto,
    version: number | undefined,
  ): Promise<GroupDto> {
    const { addPeople = [], removePeople = [], addGroups = [], removeGroups = [] } = body;
    return this.work.run(async () => {
      await this.#locked(id, version);
      auditDetails({ resource: resource(id) });
      await this.grants.requireGivable(actor, id, { people: addPeople, groups: addGroups });
      await this.grants.requireLeavable(actor, id, { people: removePeople, groups: removeGroups });
      const { removed } = await this.members.remove(id, removePeople);
      const { added } = await this.members.add(id, addPeople);
      const { removed: groupsRemoved } = await this.subgroups.remove(id, removeGroups);
      const { added: groupsAdded } = await this.subgroups.add(id, addGroups);
      auditDetails({ changes: membersInEvent({ added, removed, groupsAdded, groupsRemoved }) });
      return groupDto(await this.groups.find(id));
    });
  }

  async listMembers(id: string, { cursor, limit }: PageQuery): Promise<Page<GroupMemberDto>> {
    await this.groups.find(id);
    auditDetails({ resource: resource(id) });
    const rows = await this.members.list(id, cursorKey(cursor, UUID_KEY), limit);
    return pageOf(
      rows,
      limit,
      ({ user_id: userId }) => userId,
      ({ user_id: userId, added_at: addedAt }) => ({ userId, addedAt: addedAt.toISOString() }),
    );
  }

  async listSubgroups(id: string): Promise<{ items: string[] }> {
    await this.groups.find(id);
    auditDetails({ resource: resource(id) });
    return { items: await this.subgroups.list(id) };
  }

  async #locked(id: string, version: number | undefined): Promise<GroupRow> {
    const group = await this.groups.locked(id);
    if (group.directory !== null) throw new GroupProvided();
    if (version !== undefined && version !== group.version) throw new VersionMismatch();
    return group;
  }
}

/** Who was put in and taken out, for the event: ids say nothing of a person to who may not see people. */
export function membersInEvent(
  changed: Readonly<Record<string, readonly string[]>>,
): Record<string, unknown> {
  const entries = Object.entries(changed).filter(([, ids]) => ids.length > 0);
  return Object.fromEntries(
    entries.map(([name, ids]) => [name, { count: ids.length, ids: ids.slice(0, IDS_IN_EVENT) }]),
  );
}

function groupDto(group: GroupRow): GroupDto {
  return {
    id: group.id,
    displayName: group.display_name,
    ...(group.external_id !== null && { externalId: group.external_id }),
    ...(group.directory !== null && { directory: group.directory }),
    people: group.people,
    version: group.version,
    createdBy: group.created_by,
    createdAt: group.created_at.toISOString(),
    updatedAt: group.updated_at.toISOString(),
  };
}

function resource(id: string): { type: string; id: string } {
  return { type: 'group', id };
}
