import { Injectable } from '@nestjs/common';
import { SubjectKeys } from '../encryption/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { auditDetails, type Actor } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import type { UserDto } from './auth.dto.js';
import { CannotEraseSelf } from './auth.errors.js';
import { endAccess } from './end-access.js';
import { UserEntity } from './identity.entity.js';
import { refuseAbove } from './grants.js';
import { lockedUser, requireDispensable, userDto } from './users.js';

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
  `WITH left_groups AS (DELETE FROM group_members WHERE user_id = $1 RETURNING group_id)
    UPDATE groups SET people = people - 1, version = version + 1 WHERE id IN (SELECT group_id FROM left_groups)`,
];

/**
 * Erases a person for good: the keys that everything of the person was sealed under are destroyed, here and in every
 * process, with whatever their copies in the log, in objects and exports say. Of the person's row there is left the id
 * that others refer to, the role, and that it was erased. All of it and its event is one transaction.
 */
@Injectable()
export class EraseUser {
  constructor(
    private readonly database: TenantDatabase,
    private readonly subjects: SubjectKeys,
    private readonly work: UnitOfWork,
  ) {}

  /** @throws {UserErased} the second time */
  async execute(actor: Actor, id: string): Promise<UserDto> {
    if (actor.id === id) throw new CannotEraseSelf();
    return this.work.run(async () => {
      const locked = await lockedUser(this.database, id);
      const { user } = locked;
      auditDetails({ resource: { type: 'user', id }, changes: { role: user.role } });
      refuseAbove(actor, user.role);
      requireDispensable(locked);
      await endAccess(this.database, id);
      for (const text of FORGOTTEN) await this.database.query({ text, values: [id] });
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
      const erased = await this.database.repository(UserEntity).save(user);
      return userDto(erased);
    });
  }
}
