import { Injectable } from '@nestjs/common';
import { Authority, ProvidedUsers, type UserEntity } from '../auth/index.js';
import { Domains } from '../domains/index.js';
import { BlindLookup } from '../encryption/index.js';
import { auditDetails } from '../platform/http/request-context.js';
import type { DirectoryRow } from './directory-row.js';
import { requireKept } from './directory-rules.js';
import { profileOf } from './profile-of.js';
import { textIn, type Fields } from './protocol/evaluate-filter.js';
import { ScimError } from './protocol/scim.errors.js';
import { directoryKey, type ScimUserEntity } from './scim-user.entity.js';
import { userNameTaken, UserStore } from './user-store.js';

export interface Admitted {
  readonly id: string;
  /** Of somebody who was not here before. */
  readonly made?: { readonly row: ScimUserEntity; readonly account: UserEntity };
}

/**
 * Lets in somebody whom a directory provides: as a new person, as the one whom it has provided before, or, where the
 * organisation wants it, as the one who is here already under an address of a verified domain.
 */
@Injectable()
export class AdmitUser {
  constructor(
    private readonly users: ProvidedUsers,
    private readonly store: UserStore,
    private readonly domains: Domains,
    private readonly lookup: BlindLookup,
    private readonly authority: Authority,
  ) {}

  /** @throws {ScimError | QuotaExceeded} */
  async execute(directory: DirectoryRow, newId: string, said: Fields, active: boolean): Promise<Admitted> {
    const profile = profileOf(newId, said, directory.mapping);
    // In one flush, as for most there is nothing more to know before they are written.
    const [known, here, room] = await this.lookup.held(() =>
      Promise.all([
        this.store.byUserName(directory.id, textIn(said, 'userName')),
        this.users.byEmail(profile.email),
        active ? this.users.room() : undefined,
      ]),
    );
    if (known && !known.removedAt) throw userNameTaken();
    if (known) return { id: await this.#again(directory, known, said, active) };
    if (here) return { id: await this.#adopt(directory, here, said, active) };
    let account: UserEntity | undefined;
    const row = await this.store.add(directory.id, newId, said, async (...rows) => {
      const added = { profile, role: directory.default_role, active, room };
      account = await this.users.add(newId, added, ...rows);
    });
    return { id: newId, ...(account && { made: { row, account } }) };
  }

  /** Whoever comes again is the same person, with the role from before, unless the directory knows them for another. */
  async #again(directory: DirectoryRow, row: ScimUserEntity, said: Fields, active: boolean): Promise<string> {
    requireSame(directory, row, said);
    auditDetails({ action: 'scim_user.reactivated' });
    return this.#take(directory, row, said, active);
  }

  async #adopt(directory: DirectoryRow, here: UserEntity, said: Fields, active: boolean): Promise<string> {
    const row = await this.store.byId(here.id);
    if (row && !row.removedAt) throw taken('A directory provides somebody with this e-mail address already.');
    if (row) requireSame(directory, row, said);
    if (directory.conflicts === 'refuse')
      throw taken('Somebody with this e-mail address is here already, and the directory takes over nobody.');
    const email = here.email?.reveal() ?? '';
    if (!(await this.domains.covers(email)))
      throw taken(
        'Somebody with this e-mail address is here already. A directory takes over people whose address is of a verified domain: verify it first.',
      );
    if (await this.authority.isPersonAbove(here, directory.highest_role))
      throw taken(
        'Somebody with this e-mail address holds more here, by role or by grants, than whoever has set the directory. An Owner may set it.',
      );
    auditDetails({ action: 'scim_user.adopted' });
    if (row) return this.#take(directory, row, said, active);
    await this.store.add(directory.id, here.id, said);
    await this.#bring(directory, here.id, said, active);
    return here.id;
  }

  async #take(directory: DirectoryRow, row: ScimUserEntity, said: Fields, active: boolean): Promise<string> {
    await this.store.change(directory.id, row, {}, said);
    await this.#bring(directory, row.id, said, active);
    return row.id;
  }

  /** The account, as the directory says. */
  async #bring(directory: DirectoryRow, id: string, said: Fields, active: boolean): Promise<void> {
    const held = await this.users.locked(id);
    const profile = profileOf(id, said, directory.mapping);
    // Since the directory has last provided them they may have come to more than it reaches.
    await requireKept(this.authority, directory, held.user, profile);
    await this.users.change(held.user, profile);
    await this.users.setActive(held, active);
  }
}

/**
 * A name is given to somebody new once its owner has left; the id that a directory has of a person is not. Two ids are two
 * people, of whom the second does not come to what the first could do.
 */
function requireSame(directory: DirectoryRow, row: ScimUserEntity, { externalId }: Fields): void {
  const before = row.directoryId === directory.id ? row.externalId?.reveal() : undefined;
  if (before === undefined || typeof externalId !== 'string') return;
  if (before === directoryKey(directory.id, externalId, true)) return;
  throw taken(
    `Somebody who was deleted, with another externalId, has had this userName or e-mail address; their account ${row.id} is kept, and whoever is new is not given it. Erase the former person here (POST /v1/users/${row.id}/erasure), and have the provider send it again; where it is the same person, have it sent with the externalId from before.`,
  );
}

function taken(detail: string): ScimError {
  return new ScimError('uniqueness', detail);
}
