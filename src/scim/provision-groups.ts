import { Injectable } from '@nestjs/common';
import {
  Groups,
  Members,
  membersInEvent,
  Subgroups,
  type GroupRow,
  type MembersChanged,
} from '../groups/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import { VersionMismatch } from '../platform/http/parameters.js';
import { auditDetails } from '../platform/http/request-context.js';
import { GroupGrants } from '../roles/index.js';
import { membersIn, readGroupPatch, withoutMembers, type MemberChange } from './group-changes.js';
import { groupEtag, GroupRows } from './group-rows.js';
import { inOrder } from './in-order.js';
import { UUID } from './narrowed.js';
import { applyPatch } from './protocol/apply-patch.js';
import { fits, isFields, textIn, type Fields, type Json } from './protocol/evaluate-filter.js';
import type { PatchOperation } from './protocol/patch-request.js';
import { isWanted, project } from './protocol/project.js';
import { readResource } from './protocol/read-resource.js';
import { GROUP_TYPE } from './protocol/resource-types.js';
import { ScimError } from './protocol/scim.errors.js';
import type { Asked } from './provision-users.js';
import { ScimAnswer } from './scim-answer.js';
import { matches } from './versions.js';

const LONGEST_NAME = 256;
const LONGEST_EXTERNAL_ID = 512;
const REPORTED = 5;

/** Of those that are named, which the directory provides: people and, where it is false, groups. */
type Provided = ReadonlyMap<string, boolean>;
const provided = (lock: string): string => `WITH people AS (
    SELECT s.id FROM scim_users s JOIN users u ON u.id = s.id AND u.status <> 'erased'
    WHERE s.directory_id = $1 AND s.removed_at IS NULL AND s.id = ANY ($2::uuid[]) ORDER BY s.id ${lock})
  SELECT id, true AS person FROM people
  UNION ALL SELECT id, false FROM groups WHERE directory = $1 AND id = ANY ($2::uuid[])`;
const PROVIDED = {
  held: { name: 'scim_provided_held', text: provided('FOR KEY SHARE OF u FOR SHARE OF s') },
  told: { name: 'scim_provided', text: provided('') },
} as const;
type Told = Record<'added' | 'removed' | 'groupsAdded' | 'groupsRemoved', string[]>;

/** The groups of a directory, as it provides, changes and takes them away: in the unit of work of whoever calls. */
@Injectable()
export class ProvisionGroups {
  constructor(
    private readonly groups: Groups,
    private readonly members: Members,
    private readonly subgroups: Subgroups,
    private readonly rows: GroupRows,
    private readonly database: TenantDatabase,
    private readonly grants: GroupGrants,
  ) {}

  async create(asked: Asked, body: Json | undefined): Promise<ScimAnswer> {
    const { directory } = asked;
    const { displayName, externalId } = readGroup(body);
    const ids = membersIn(body) ?? [];
    const group = await this.groups.create({
      displayName,
      externalId,
      directory: directory.id,
      createdBy: directory.id,
    });
    const told = newTold();
    auditDetails({ resource: { type: 'group', id: group.id } });
    await this.#changeMembers(group.id, { kind: 'add', ids }, await this.#provided(asked, ids, 'held'), told);
    auditDetails({ changes: { displayName, ...membersInEvent(told) } });
    return this.#answer(201, asked, group.id);
  }

  async get(asked: Asked, id: string): Promise<ScimAnswer> {
    auditDetails({ resource: { type: 'group', id } });
    return this.#answer(200, asked, id);
  }

  /** Of members that are not named at all nothing is said: they stay. `[]` are none. */
  async replace(asked: Asked, id: string, body: Json | undefined): Promise<ScimAnswer> {
    const { displayName, externalId } = readGroup(body);
    const ids = membersIn(body);
    await this.#change(asked, id, ids ? [{ kind: 'replace', ids }] : [], () => ({ displayName, externalId }));
    return this.#answer(200, asked, id);
  }

  /** Answers nothing, as the group may be large, but where attributes are asked for. */
  async patch(asked: Asked, id: string, operations: readonly PatchOperation[]): Promise<ScimAnswer> {
    const { members, attributes } = readGroupPatch(operations);
    await this.#change(asked, id, members, (group) =>
      named(applyPatch(GROUP_TYPE, fieldsOf(group), attributes)),
    );
    const { wanted } = asked;
    const asksFor = wanted.attributes !== undefined || wanted.excludedAttributes !== undefined;
    return asksFor ? this.#answer(200, asked, id) : new ScimAnswer(204, undefined);
  }

  async remove(asked: Asked, id: string): Promise<ScimAnswer> {
    const [{ display_name: displayName, people }, given] = await Promise.all([
      this.#locked(asked, id),
      this.grants.givenBy(id),
    ]);
    const changes = { displayName, people, ...lostRoles(given.roles, people) };
    auditDetails({ resource: { type: 'group', id }, changes });
    await this.groups.delete(id);
    return new ScimAnswer(204, undefined);
  }

  async #change(
    asked: Asked,
    id: string,
    changes: readonly MemberChange[],
    renamed: (group: GroupRow) => Named,
  ): Promise<void> {
    const ids = changes.flatMap((change) => (change.kind === 'removeWhere' ? [] : change.ids));
    const [only] = changes.length === 1 ? changes.filter(isPlain) : [];
    // In one flush, as others wait for the group meanwhile; people before groups, as whoever takes a person away locks them.
    // The members as well, where that is all: should the group or a member turn out to be none, it is taken back.
    const [provided, group, given, changed] = await inOrder([
      this.#provided(asked, ids, changes.some(putsIn) ? 'held' : 'told'),
      this.#locked(asked, id),
      this.grants.givenBy(id),
      only && this.members.change(only.kind, id, only.ids.filter(isUuid)),
    ]);
    auditDetails({ resource: { type: 'group', id } });
    const { displayName, externalId } = renamed(group);
    const isRenamed = displayName !== group.display_name || externalId !== (group.external_id ?? undefined);
    if (isRenamed) await this.groups.rename(id, displayName, externalId ?? null);
    const told = newTold();
    for (const change of changes) {
      if (change.kind !== 'removeWhere') await this.#changeMembers(id, change, provided, told, changed);
      else {
        const fitting = await this.#fitting(asked, id, change);
        const known = await this.#provided(asked, fitting, 'told');
        await this.#changeMembers(id, { kind: 'remove', ids: fitting }, known, told);
      }
    }
    const gains = told.added.length + told.groupsAdded.length > 0;
    auditDetails({
      changes: {
        ...(isRenamed && { displayName }),
        ...membersInEvent(told),
        ...lostRoles(given.roles, told.removed.length),
        ...(gains && given.administrative && { administrative: true }),
      },
    });
  }

  async #changeMembers(
    id: string,
    { kind, ids }: Extract<MemberChange, { readonly ids: unknown }>,
    provided: Provided,
    told: Told,
    changed?: MembersChanged,
  ): Promise<void> {
    const of = (person: boolean): string[] => ids.filter((member) => provided.get(member) === person);
    const [people, groups] = [of(true), of(false)];
    const unknown = ids.filter((member) => !provided.has(member));
    // Who is not there need not be removed; whoever is to be added has to be there.
    if (unknown.length > 0 && kind !== 'remove')
      throw new ScimError(
        'invalidValue',
        `The directory provides no person and no group ${unknown.slice(0, REPORTED).join(', ')}.`,
      );
    const ofPeople =
      changed ??
      (kind === 'replace' || people.length > 0 ? await this.members.change(kind, id, people) : undefined);
    const ofGroups =
      kind === 'replace' || groups.length > 0 ? await this.subgroups[kind](id, groups) : undefined;
    told.added.push(...(ofPeople?.added ?? []));
    told.removed.push(...(ofPeople?.removed ?? []));
    told.groupsAdded.push(...(ofGroups?.added ?? []));
    told.groupsRemoved.push(...(ofGroups?.removed ?? []));
  }

  /** The members that a filter names, of a kind that only looking at them can tell. */
  async #fitting(
    { directory }: Asked,
    id: string,
    { filter }: Extract<MemberChange, { kind: 'removeWhere' }>,
  ): Promise<string[]> {
    const row = await this.rows.one(directory.id, id);
    const [group] = row ? await this.rows.open([row], true) : [];
    const members = (group?.resource['members'] ?? []) as readonly Fields[];
    return members.filter((member) => fits(filter, member)).map((member) => textIn(member, 'value'));
  }

  /** Which of these the directory provides; those who are to be put in are held, so that nobody takes them away meanwhile. */
  async #provided(
    { directory }: Asked,
    ids: readonly string[],
    how: keyof typeof PROVIDED,
  ): Promise<Provided> {
    const wellFormed = [...new Set(ids)].filter(isUuid);
    if (wellFormed.length === 0) return new Map();
    const found = await this.database.query<{ id: string; person: boolean }>({
      ...PROVIDED[how],
      values: [directory.id, wellFormed],
    });
    return new Map(found.map(({ id, person }) => [id, person]));
  }

  async #locked({ directory, ifMatch }: Asked, id: string): Promise<GroupRow> {
    const group = await this.groups.locked(id);
    if (group.directory !== directory.id) throw new ResourceNotFound('group');
    if (!matches(ifMatch, groupEtag(group))) throw new VersionMismatch();
    return group;
  }

  async #answer(status: number, { directory, wanted }: Asked, id: string): Promise<ScimAnswer> {
    const row = await this.rows.one(directory.id, id);
    if (!row) throw new ResourceNotFound('group');
    const [group] = await this.rows.open([row], isWanted(GROUP_TYPE, 'members', wanted));
    return new ScimAnswer(status, group && project(GROUP_TYPE, group.resource, wanted));
  }
}

/** Only adds, or only takes away: no more is done to members than is said of them by their ids. */
function isPlain(change: MemberChange): change is Extract<MemberChange, { readonly kind: 'add' | 'remove' }> {
  return change.kind === 'add' || change.kind === 'remove';
}

function isUuid(id: string): boolean {
  return UUID.test(id);
}

interface Named {
  readonly displayName: string;
  readonly externalId: string | undefined;
}

function readGroup(body: Json | undefined): Named {
  return named(readResource(GROUP_TYPE, isFields(body) ? withoutMembers(body) : body));
}

function named(fields: Fields): Named {
  const { externalId } = fields;
  const name = textIn(fields, 'displayName').trim();
  if (name === '' || name.length > LONGEST_NAME)
    throw new ScimError('invalidValue', `"displayName" must have 1 to ${LONGEST_NAME} characters.`);
  const external = typeof externalId === 'string' ? externalId : undefined;
  if ((external?.length ?? 0) > LONGEST_EXTERNAL_ID)
    throw new ScimError('invalidValue', `"externalId" must have at most ${LONGEST_EXTERNAL_ID} characters.`);
  return { displayName: name, externalId: external };
}

function fieldsOf(group: GroupRow): Fields {
  return {
    displayName: group.display_name,
    ...(group.external_id !== null && { externalId: group.external_id }),
  };
}

function putsIn({ kind }: MemberChange): boolean {
  return kind === 'add' || kind === 'replace';
}

/** How many people lose roles by it: whoever watches for mistakes counts them, and sees the log alone. */
function lostRoles(hasRoles: boolean, people: number): { lostRoles?: number } {
  return hasRoles && people > 0 ? { lostRoles: people } : {};
}

function newTold(): Told {
  return { added: [], removed: [], groupsAdded: [], groupsRemoved: [] };
}
