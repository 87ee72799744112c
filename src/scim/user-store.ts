import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { BlindLookup, NewRows, refusedBy, Sealed } from '../encryption/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { isFields, textIn, type Fields } from './protocol/evaluate-filter.js';
import { ScimError } from './protocol/scim.errors.js';
import { directoryKey, ScimEmailEntity, ScimUserEntity } from './scim-user.entity.js';

const LARGEST = 131_072;

/** What directories say of people, written: in the unit of work of whoever calls, once the person's account is locked or new. */
@Injectable()
export class UserStore {
  constructor(
    private readonly database: TenantDatabase,
    private readonly lookup: BlindLookup,
    private readonly rows: NewRows,
  ) {}

  /** Whoever has this `userName` in a directory, or had it. */
  async byUserName(directoryId: string, userName: string): Promise<ScimUserEntity | null> {
    const [id] = await this.lookup.select(ScimUserEntity, 'userName', directoryKey(directoryId, userName), {
      within: { column: 'directory_id', value: directoryId },
      limit: 1,
    });
    return id === undefined ? null : this.byId(id);
  }

  byId(id: string): Promise<ScimUserEntity | null> {
    return this.database.repository(ScimUserEntity).findOneBy({ id });
  }

  /**
   * Of somebody of whom no directory has said anything: by whatever inserts the rows that it is given.
   * @throws {ScimError} `uniqueness`
   */
  async add(
    directoryId: string,
    id: string,
    said: Fields,
    insert: (...rows: readonly object[]) => Promise<unknown> = (...rows) => this.rows.insert(...rows),
  ): Promise<ScimUserEntity> {
    requireSmall(said);
    const people = this.database.repository(ScimUserEntity);
    const person = people.create({ id, removedAt: null, ...sealed(directoryId, said) });
    await this.#unique(() => insert(person, ...this.#emails(directoryId, id, said)));
    return person;
  }

  /** @throws {ScimError} `uniqueness` */
  async change(directoryId: string, row: ScimUserEntity, before: Fields, said: Fields): Promise<void> {
    requireSmall(said);
    const people = this.database.repository(ScimUserEntity);
    Object.assign(row, sealed(directoryId, said), { removedAt: null });
    await this.#unique(() => people.save(row));
    if (addressesOf(before).join('\n') !== addressesOf(said).join('\n'))
      await this.#replaceEmails(directoryId, row.id, said);
  }

  /** The directory does not know the person any more. */
  async remove(id: string): Promise<void> {
    await this.database.query({
      text: 'UPDATE scim_users SET removed_at = now(), updated_at = now(), version = version + 1 WHERE id = $1',
      values: [id],
    });
    await this.#forgetEmails(id);
  }

  async #replaceEmails(directoryId: string, userId: string, said: Fields): Promise<void> {
    await this.#forgetEmails(userId);
    await this.rows.insert(...this.#emails(directoryId, userId, said));
  }

  #emails(directoryId: string, userId: string, said: Fields): ScimEmailEntity[] {
    const emails = this.database.repository(ScimEmailEntity);
    return addressesOf(said).map((address) =>
      emails.create({
        id: uuidv7(),
        userId,
        address: Sealed.of(directoryKey(directoryId, address), userId),
      }),
    );
  }

  async #forgetEmails(userId: string): Promise<void> {
    await this.database.query({ text: 'DELETE FROM scim_emails WHERE user_id = $1', values: [userId] });
  }

  async #unique(write: () => Promise<unknown>): Promise<void> {
    try {
      await write();
    } catch (error) {
      if (refusedBy(error)?.startsWith('scim_users_user_name_index')) throw userNameTaken();
      throw error;
    }
  }
}

export function userNameTaken(): ScimError {
  return new ScimError('uniqueness', 'Another person of this directory has this userName already.');
}

function sealed(directoryId: string, said: Fields): Partial<ScimUserEntity> {
  const { externalId } = said;
  return {
    directoryId,
    userName: Sealed.of(directoryKey(directoryId, textIn(said, 'userName'))),
    externalId:
      typeof externalId === 'string' ? Sealed.of(directoryKey(directoryId, externalId, true)) : null,
    // Of no external id there is no index either.
    ...(typeof externalId !== 'string' && { externalIdIndex: null, externalIdIndexAlt: null }),
    attributes: Sealed.of(said),
  };
}

/** Each once, as it is looked up. */
function addressesOf({ emails }: Fields): string[] {
  const items = Array.isArray(emails) ? (emails as readonly Fields[]) : [];
  const values = items.flatMap((item) =>
    isFields(item) && typeof item['value'] === 'string' ? [item['value']] : [],
  );
  return [...new Set(values.map((value) => value.normalize('NFC').toLowerCase()))];
}

function requireSmall(said: Fields): void {
  if (JSON.stringify(said).length > LARGEST)
    throw new ScimError(
      'invalidValue',
      `A person has at most ${LARGEST} characters, all attributes together.`,
    );
}
