import { Injectable } from '@nestjs/common';
import { BlindLookup, Sealed } from '../encryption/index.js';
import { announce, currentTenant, TenantDatabase } from '../platform/database/index.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import { QuotaExceeded } from '../tenancy/index.js';
import { EmailTaken } from './auth.errors.js';
import { distrust, endAccess, endResetLinks } from './end-access.js';
import { UserEntity, type Role } from './identity.entity.js';
import { SessionList } from './session-list.js';
import { lockedUser, requireDispensable, type LockedUser } from './locked-user.js';
import { Users } from './users.js';

/** What a directory says of somebody, of what an account has. */
export interface ProvidedProfile {
  readonly email: string;
  readonly displayName: string | undefined;
  readonly phone: string | undefined;
}

/** Somebody whom a directory brings. */
interface NewProvided {
  readonly profile: ProvidedProfile;
  readonly role: Exclude<Role, 'Owner'>;
  readonly active: boolean;
  /** What `ProvidedUsers.room` has said. */
  readonly room: QuotaExceeded | undefined;
}

/**
 * People whom a directory provides and takes away, in the unit of work of whoever speaks for it. The rules are those of
 * everybody: quotas, one address for one person, a last owner who stays, and all access ended with the account.
 */
@Injectable()
export class ProvidedUsers {
  constructor(
    private readonly database: TenantDatabase,
    private readonly lookup: BlindLookup,
    private readonly users: Users,
    private readonly sessions: SessionList,
  ) {}

  /** Why there is no room for somebody more who is active, if there is none: it is told to whoever adds them. */
  async room(): Promise<QuotaExceeded | undefined> {
    try {
      await this.users.requireRoom();
      return undefined;
    } catch (error) {
      if (error instanceof QuotaExceeded) return error;
      throw error;
    }
  }

  /**
   * Somebody whom `byEmail` has not found under held index keys (`BlindLookup.held`), with rows that go along.
   * @throws {EmailTaken | QuotaExceeded}
   */
  async add(
    id: string,
    { profile, role, active, room }: NewProvided,
    ...alongside: readonly object[]
  ): Promise<UserEntity> {
    const { email, displayName, phone } = profile;
    if (active && room) throw room;
    const person = {
      id,
      email,
      role,
      passwordHash: null,
      ...(displayName !== undefined && { displayName }),
      ...(phone !== undefined && { phone }),
      ...(!active && { status: 'disabled' as const }),
    };
    return this.users.insertUnknown(person, ...alongside);
  }

  /**
   * A person, locked until the end of the transaction. Only who is an Owner waits for what happens to other owners.
   * @throws {ResourceNotFound}
   */
  async locked(id: string): Promise<LockedUser> {
    const users = this.database.repository(UserEntity);
    // Owners in their order, before any of them alone: two who are deactivated at once do not wait for each other.
    this.database.send({
      name: 'owners_first',
      text: `SELECT FROM users WHERE role = 'Owner' AND status = 'active'
        AND EXISTS (SELECT FROM users WHERE id = $1 AND role = 'Owner') ORDER BY id FOR UPDATE`,
      values: [id],
    });
    const user = await users.findOne({ where: { id }, lock: { mode: 'pessimistic_write' } });
    if (!user || user.status === 'erased') throw new ResourceNotFound('user');
    if (user.role === 'Owner') return lockedUser(this.database, id);
    return { user, soleOwner: false, soleBreakGlass: false };
  }

  async byEmail(email: string): Promise<UserEntity | null> {
    const [id] = await this.lookup.select(UserEntity, 'email', email, { limit: 1 });
    return id === undefined ? null : this.database.repository(UserEntity).findOneBy({ id });
  }

  /** Of a locked person. What is the same stays sealed as it is. @throws {EmailTaken} */
  async change(user: UserEntity, { email, displayName, phone }: ProvidedProfile): Promise<void> {
    const sameEmail = user.email?.reveal() === email;
    const sameName = user.displayName?.reveal() === displayName;
    const samePhone = user.phone?.reveal() === phone;
    if (sameEmail && sameName && samePhone) return;
    if (!sameEmail) {
      const other = await this.byEmail(email);
      if (other && other.id !== user.id) throw new EmailTaken();
      user.email = Sealed.of(email);
    }
    if (!sameName) user.displayName = displayName === undefined ? null : Sealed.of(displayName);
    if (!samePhone) user.phone = phone === undefined ? null : Sealed.of(phone);
    await this.#save(user);
    // A link to a new password that was mailed to the former address is whose that is now.
    if (!sameEmail) await endResetLinks(this.database, user.id);
  }

  /**
   * Lets a locked person in again, or ends all access at once: sessions, tokens, keys, streams and runs, in every process
   * within a second. Nothing to do where it is so already.
   * @throws {LastOwner | LastBreakGlassOwner | QuotaExceeded}
   */
  async setActive(locked: LockedUser, active: boolean): Promise<boolean> {
    const { user } = locked;
    if ((user.status === 'active') === active) return false;
    if (!active) requireDispensable(locked);
    if (active) await this.users.requireRoom();
    user.status = active ? 'active' : 'disabled';
    user.epoch += 1;
    await this.#save(user);
    if (active)
      await this.database.query(announce({ kind: 'user', tenant: currentTenant().id, id: user.id }));
    else await endAccess(this.database, user.id);
    return true;
  }

  /**
   * Ends all sessions of a locked person, with their tokens and streams; `wholly`, whatever else rests on what they have
   * proved. API keys go on. Answers how many.
   */
  async endSessions(user: UserEntity, wholly: boolean): Promise<number> {
    if (wholly) await distrust(this.database, user.id);
    return this.sessions.endAll(user.id);
  }

  async #save(user: UserEntity): Promise<void> {
    try {
      await this.database.repository(UserEntity).save(user);
    } catch (error) {
      const { driverError } = error as { driverError?: { constraint?: string } };
      if (driverError?.constraint?.startsWith('users_email_index_')) throw new EmailTaken();
      throw error;
    }
  }
}
