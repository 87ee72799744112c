import { Injectable } from '@nestjs/common';
import { SubjectKeys } from '../encryption/index.js';
import { currentTenant, TenantDatabase } from '../platform/database/index.js';
import { auditDetails, type Actor } from '../platform/http/request-context.js';
import { Log } from '../platform/observability/log.js';
import { UnitOfWork } from '../requests/index.js';
import type { UserDto } from './auth.dto.js';
import { Authority } from './authority.js';
import { CannotEraseSelf } from './auth.errors.js';
import { endAccess } from './end-access.js';
import { ErasureFollowers } from './erasure-followers.js';
import { UserEntity } from './identity.entity.js';
import { lockedUser, requireDispensable } from './locked-user.js';
import { userDto } from './users.js';

/** Of the rows that say what a person may do, what was made of the person's network, browser and words. */
const FORGOTTEN = [
  `UPDATE sessions SET fingerprint = '', exact_fingerprint = NULL, agent_fingerprint = NULL, client = NULL WHERE user_id = $1`,
  'DELETE FROM sign_in_places WHERE user_id = $1',
  'DELETE FROM password_history WHERE user_id = $1',
  'DELETE FROM password_resets WHERE user_id = $1',
  `UPDATE api_keys SET name = 'erased' WHERE user_id = $1`,
  'DELETE FROM second_factors WHERE user_id = $1',
  'DELETE FROM recovery_codes WHERE user_id = $1',
  'DELETE FROM trusted_devices WHERE user_id = $1',
  'DELETE FROM second_factor_challenges WHERE user_id = $1',
  'DELETE FROM text_messages WHERE user_id = $1',
  // Who the person is at an identity provider, and with it what its sessions are called there.
  `DELETE FROM federated_identities WHERE user_id = $1`,
  `DELETE FROM break_glass_owners WHERE user_id = $1`,
  // What a directory says of the person, and under which addresses the person is found there.
  `DELETE FROM scim_users WHERE id = $1`,
  // In one order: two who leave the same groups at once do not wait for each other.
  `SELECT id FROM groups WHERE id IN (SELECT group_id FROM group_members WHERE user_id = $1) ORDER BY id FOR NO KEY UPDATE`,
  `WITH left_groups AS (DELETE FROM group_members WHERE user_id = $1 RETURNING group_id)
    UPDATE groups SET people = people - 1, version = version + 1 WHERE id IN (SELECT group_id FROM left_groups)`,
];

/** What may name anybody, and is sealed for nobody: whom it names could be told only by reading all of it. */
const SEALED_FOR_NOBODY = [
  'DELETE FROM sso_reports',
  // Its key's id stands in the bytes 3 to 18; a damaged value may be shorter.
  `DELETE FROM scim_requests WHERE octet_length(request) < 18 OR NOT EXISTS
    (SELECT 1 FROM subject_keys s WHERE s.id = encode(substring(request from 3 for 16), 'hex')::uuid)`,
];

/**
 * Erases a person for good: the keys that everything of the person was sealed under are destroyed, here and in every
 * process, with whatever their copies in the log, in objects and exports say. Of the person's row there is left the id
 * that others refer to, the role, and that it was erased. All of it and its event is one transaction. Copies that are under
 * no person's key go as wholes: reports of sign-in tests, requests of directories about nobody in particular, saved exports.
 */
@Injectable()
export class EraseUser {
  constructor(
    private readonly database: TenantDatabase,
    private readonly subjects: SubjectKeys,
    private readonly work: UnitOfWork,
    private readonly authority: Authority,
    private readonly followers: ErasureFollowers,
    private readonly log: Log,
  ) {}

  /** @throws {UserErased} the second time */
  async execute(actor: Actor, id: string): Promise<UserDto> {
    if (actor.id === id) throw new CannotEraseSelf();
    const tenant = currentTenant();
    const erased = await this.work.run(async () => {
      const locked = await lockedUser(this.database, id);
      const { user } = locked;
      auditDetails({ resource: { type: 'user', id }, changes: { role: user.role } });
      await this.authority.overPerson(actor, user);
      requireDispensable(locked);
      await endAccess(this.database, id);
      for (const text of FORGOTTEN) await this.database.query({ text, values: [id] });
      for (const text of SEALED_FOR_NOBODY) await this.database.query({ text, values: [] });
      for (const statement of this.subjects.destroy(id)) await this.database.query(statement);
      Object.assign(user, {
        email: null,
        emailIndex: null,
        emailIndexAlt: null,
        displayName: null,
        phone: null,
        passwordHash: null,
        status: 'erased',
        epoch: user.epoch + 1,
      });
      const saved = await this.database.repository(UserEntity).save(user);
      // Elsewhere, in another transaction: rather gone for nothing than left.
      await this.followers.erased(tenant);
      return userDto(saved);
    });
    // What was begun in between, while the person could still be read.
    await this.followers
      .erased(tenant)
      .catch((error: unknown) =>
        this.log.error('copies that name an erased person may be left', error, { tenant: tenant.id }),
      );
    return erased;
  }
}
