import { isDeepStrictEqual } from 'node:util';
import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { Authority, ProvidedUsers } from '../auth/index.js';
import { Members } from '../groups/index.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import { VersionMismatch } from '../platform/http/parameters.js';
import { auditDetails } from '../platform/http/request-context.js';
import { AdmitUser, type Admitted } from './admit-user.js';
import type { DirectoryRow } from './directory-row.js';
import { profileOf } from './profile-of.js';
import { applyPatch } from './protocol/apply-patch.js';
import { textIn, type Fields, type Json } from './protocol/evaluate-filter.js';
import type { PatchOperation } from './protocol/patch-request.js';
import { isWanted, project, type Wanted } from './protocol/project.js';
import { readResource } from './protocol/read-resource.js';
import { USER_TYPE } from './protocol/resource-types.js';
import { ScimAnswer } from './scim-answer.js';
import { requireKept } from './directory-rules.js';
import { etagOf, UserRows, type UserRow } from './user-rows.js';
import { userNameTaken, UserStore } from './user-store.js';
import { matches } from './versions.js';

/** What a directory says of how its request is to be answered. */
export interface Asked {
  readonly directory: DirectoryRow;
  readonly wanted: Wanted;
  /** `If-Match`. */
  readonly ifMatch?: string | undefined;
}

/** The people of a directory, as it provides, changes and takes them away: in the unit of work of whoever calls. */
@Injectable()
export class ProvisionUsers {
  constructor(
    private readonly admit: AdmitUser,
    private readonly users: ProvidedUsers,
    private readonly members: Members,
    private readonly rows: UserRows,
    private readonly store: UserStore,
    private readonly authority: Authority,
  ) {}

  async create(asked: Asked, body: Json | undefined): Promise<ScimAnswer> {
    const { active = true, ...said } = readResource(USER_TYPE, body);
    const { id, made } = await this.admit.execute(asked.directory, uuidv7(), said, active === true);
    auditDetails({
      resource: { type: 'user', id },
      subject: id,
      changes: {
        fields: Object.keys(said),
        active: active === true,
        ...(made && { role: made.account.role }),
      },
    });
    return made ? this.#answerMade(asked.wanted, made, said) : this.#answer(201, asked, id);
  }

  async get(asked: Asked, id: string): Promise<ScimAnswer> {
    const answer = await this.#answer(200, asked, id);
    auditDetails({ resource: { type: 'user', id } });
    return answer;
  }

  /** What the directory leaves out is gone; whether the person is active stays as it is, where nothing is said of it. */
  replace(asked: Asked, id: string, body: Json | undefined): Promise<ScimAnswer> {
    const said = readResource(USER_TYPE, body);
    return this.#change(asked, id, (before) => ({ active: before['active'] ?? true, ...said }));
  }

  patch(asked: Asked, id: string, operations: readonly PatchOperation[]): Promise<ScimAnswer> {
    return this.#change(asked, id, (before) => applyPatch(USER_TYPE, before, operations));
  }

  /** All access ends, the groups of the directory lose the person, and it does not know the person any more. */
  async remove({ directory, ifMatch }: Asked, id: string): Promise<ScimAnswer> {
    const held = await this.users.locked(id);
    const row = await this.#row(directory, id, ifMatch);
    auditDetails({ resource: { type: 'user', id }, subject: id, changes: { active: row.active } });
    await this.users.setActive(held, false);
    await this.members.removeFromDirectory(id, directory.id);
    await this.store.remove(id);
    return new ScimAnswer(204, undefined);
  }

  async #change(asked: Asked, id: string, changed: (before: Fields) => Fields): Promise<ScimAnswer> {
    const { directory, ifMatch } = asked;
    const held = await this.users.locked(id);
    const row = await this.#row(directory, id, ifMatch);
    const before = await this.rows.said(row);
    const { active = row.active, ...said } = changed({ ...before, active: row.active });
    const fields = changedNames(before, said);
    auditDetails({
      resource: { type: 'user', id },
      subject: id,
      changes: { ...(fields.length > 0 && { fields }) },
    });
    if (fields.length > 0) await this.#write(directory, id, before, said);
    const profile = profileOf(id, said, directory.mapping);
    if (fields.length > 0) {
      await requireKept(this.authority, directory, held.user, profile);
      await this.users.change(held.user, profile);
    }
    if (await this.users.setActive(held, active === true))
      auditDetails({
        action: active === true ? 'scim_user.reactivated' : 'scim_user.deactivated',
        changes: { active: active === true, ...(fields.length > 0 && { fields }) },
      });
    return this.#answer(200, asked, id);
  }

  async #write(directory: DirectoryRow, id: string, before: Fields, said: Fields): Promise<void> {
    const kept = await this.store.byId(id);
    if (!kept) throw new ResourceNotFound('user');
    if (before['userName'] !== said['userName']) {
      const other = await this.store.byUserName(directory.id, textIn(said, 'userName'));
      if (other && other.id !== id) throw userNameTaken();
    }
    await this.store.change(directory.id, kept, before, said);
  }

  async #row({ id: directoryId }: DirectoryRow, id: string, ifMatch: string | undefined): Promise<UserRow> {
    const row = await this.rows.one(directoryId, id);
    if (!row) throw new ResourceNotFound('user');
    if (!matches(ifMatch, etagOf(row))) throw new VersionMismatch();
    return row;
  }

  async #answer(status: number, { directory, wanted }: Asked, id: string): Promise<ScimAnswer> {
    const withGroups = isWanted(USER_TYPE, 'groups', wanted);
    const row = await this.rows.one(directory.id, id, withGroups);
    if (!row) throw new ResourceNotFound('user');
    const [user] = await this.rows.open([row], withGroups);
    return new ScimAnswer(status, user && project(USER_TYPE, user.resource, wanted));
  }

  /** What was just written need not be read; somebody new is in no group. */
  #answerMade(wanted: Wanted, { row, account }: NonNullable<Admitted['made']>, said: Fields): ScimAnswer {
    const written = {
      id: row.id,
      version: row.version,
      created: row.createdAt,
      modified: row.updatedAt,
      active: account.status === 'active',
      account_version: account.version,
    };
    return new ScimAnswer(201, project(USER_TYPE, this.rows.resourceOf(written, said), wanted));
  }
}

/** For the log: which attributes, and nothing of what they say. */
function changedNames(before: Fields, after: Fields): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].filter((name) => !isDeepStrictEqual(before[name], after[name]));
}
