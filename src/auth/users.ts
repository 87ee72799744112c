import { Injectable } from '@nestjs/common';
import { MoreThan } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { BlindLookup, NewRows, refusedBy, Sealed, SubjectKeys } from '../encryption/index.js';
import { announce, currentTenant, TenantDatabase } from '../platform/database/index.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import { cursorKey, pageOf, UUID_KEY, type Page, type PageQuery } from '../platform/http/pagination.js';
import { VersionMismatch } from '../platform/http/parameters.js';
import { auditDetails, type Actor, type RequestTenant } from '../platform/http/request-context.js';
import { PasswordHashing, PasswordPolicy } from '../passwords/index.js';
import { UnitOfWork } from '../requests/index.js';
import { SignInAttempts } from '../sign-in/index.js';
import { EnforceQuotas, TenantRegistry } from '../tenancy/index.js';
import type { CreateUserDto, MeDto, UpdateMeDto, UpdateUserDto, UserDto } from './auth.dto.js';
import { Authority } from './authority.js';
import { EmailTaken } from './auth.errors.js';
import { endAccess, revokeAll } from './end-access.js';
import { refuseAbove } from './grants.js';
import { UserEntity, type Role } from './identity.entity.js';
import { lockedUser, requireDispensable } from './locked-user.js';

/** A person on the way in. */
export interface NewUser {
  /** Where it is known before. */
  readonly id?: string;
  readonly email: string;
  /** Null for somebody who signs in through a company's identity provider alone. */
  readonly passwordHash: string | null;
  readonly role: Role;
  readonly displayName?: string;
  readonly phone?: string;
  /** Active, unless it is said otherwise. */
  readonly status?: 'disabled';
}

@Injectable()
export class Users {
  constructor(
    private readonly database: TenantDatabase,
    private readonly lookup: BlindLookup,
    private readonly subjects: SubjectKeys,
    private readonly rows: NewRows,
    private readonly policy: PasswordPolicy,
    private readonly hashing: PasswordHashing,
    private readonly attempts: SignInAttempts,
    private readonly work: UnitOfWork,
    private readonly tenants: TenantRegistry,
    private readonly quotas: EnforceQuotas,
    private readonly authority: Authority,
  ) {}

  async create(actor: Actor, body: CreateUserDto): Promise<UserDto> {
    refuseAbove(actor, body.role);
    await this.policy.require(body.password, body);
    const passwordHash = await this.hashing.hash(body.password);
    return this.work.run(async () => {
      await this.requireRoom();
      const user = await this.insert({ ...body, passwordHash });
      auditDetails({
        resource: { type: 'user', id: user.id },
        changes: { role: body.role },
        subject: user.id,
      });
      return userDto(user);
    });
  }

  /** Inserts into the running transaction. @throws {EmailTaken} */
  async insert(user: NewUser): Promise<UserEntity> {
    if (await this.lookup.findOne(UserEntity, 'email', user.email)) throw new EmailTaken();
    return this.insertUnknown(user);
  }

  /**
   * The same of somebody whose address was looked up under held index keys (`BlindLookup.held`), with rows that go along: of
   * those the sealed parts may be the person's.
   * @throws {EmailTaken}
   */
  async insertUnknown(user: NewUser, ...alongside: readonly object[]): Promise<UserEntity> {
    const id = user.id ?? uuidv7();
    const key = await this.subjects.create(id);
    const entity = this.database.repository(UserEntity).create({
      id,
      email: Sealed.of(user.email.trim()),
      displayName: user.displayName === undefined ? null : Sealed.of(user.displayName),
      phone: user.phone === undefined ? null : Sealed.of(user.phone),
      passwordHash: user.passwordHash,
      role: user.role,
      status: user.status ?? 'active',
      epoch: 0,
    });
    try {
      await this.rows.insert(entity, key, ...alongside);
      return entity;
    } catch (error) {
      if (refusedBy(error)?.startsWith('users_email_index_')) throw new EmailTaken();
      throw error;
    }
  }

  /** A change of role or status ends the person's sessions for good; disabling ends their keys and runs as well. */
  async update(actor: Actor, id: string, body: UpdateUserDto, version: number | undefined): Promise<UserDto> {
    return this.work.run(async () => {
      const locked = await lockedUser(this.database, id);
      const { user } = locked;
      const { role, status, ...profile } = body;
      auditDetails({ resource: { type: 'user', id }, subject: id });
      if (version !== undefined && version !== user.version) throw new VersionMismatch();
      await this.authority.overPerson(actor, user);
      if (role) refuseAbove(actor, role);
      const stops = status === 'disabled' || (role !== undefined && role !== 'Owner');
      if (stops) requireDispensable(locked);
      if (status === 'active' && user.status !== 'active') await this.requireRoom();
      rectify(user, profile);
      if (role || status) await this.#empower(user, { role, status });
      auditDetails({
        changes: { ...(role && { role }), ...(status && { status }), ...changedFields(profile) },
      });
      return userDto(await this.database.repository(UserEntity).save(user));
    });
  }

  /** Adds somebody without a password, within the quota, in the running unit of work. @throws {EmailTaken} */
  async provision(person: Omit<NewUser, 'passwordHash'>): Promise<UserEntity> {
    await this.requireRoom();
    return this.insert({ ...person, passwordHash: null });
  }

  /** Gives a person another role, in the running unit of work. Their sessions end. Owners are made and unmade by people only. */
  async assignRole(user: UserEntity, role: Exclude<Role, 'Owner'>): Promise<UserEntity> {
    if (user.role === 'Owner') return user;
    await askFromNow(this.database, user, role);
    user.role = role;
    user.epoch += 1;
    const saved = await this.database.repository(UserEntity).save(user);
    await revokeAll(this.database, 'sessions', user.id);
    await this.database.query(announce({ kind: 'user', tenant: currentTenant().id, id: user.id }));
    return saved;
  }

  /** Lets somebody try again to sign in whose account was locked. Unlocking one that is not is no error. */
  async unlock(actor: Actor, id: string): Promise<void> {
    await this.work.run(async () => {
      const user = await this.database.repository(UserEntity).findOneBy({ id });
      if (!user) throw new ResourceNotFound('user');
      await this.authority.overPerson(actor, user);
      await this.attempts.unlock(id);
      auditDetails({ resource: { type: 'user', id } });
    });
  }

  /** What people change of themselves. */
  async updateMe(actor: Actor, tenant: RequestTenant, profile: UpdateMeDto): Promise<MeDto> {
    const id = actor.userId ?? actor.id;
    await this.work.run(async () => {
      const { user } = await lockedUser(this.database, id);
      auditDetails({ resource: { type: 'user', id }, changes: changedFields(profile), subject: id });
      rectify(user, profile);
      await this.database.repository(UserEntity).save(user);
    });
    return this.me(actor, tenant);
  }

  async #empower(user: UserEntity, { role, status }: Pick<UpdateUserDto, 'role' | 'status'>): Promise<void> {
    const { id } = user;
    await askFromNow(this.database, user, role ?? user.role);
    user.role = role ?? user.role;
    user.status = status ?? user.status;
    user.epoch += 1;
    if (status === 'disabled') return endAccess(this.database, id);
    await revokeAll(this.database, 'sessions', id);
    await this.database.query(announce({ kind: 'user', tenant: currentTenant().id, id }));
  }

  /** Before somebody more can sign in. @throws {QuotaExceeded} */
  requireRoom(): Promise<void> {
    return this.quotas.requireRoom('users', () => this.countActive());
  }

  /** People who can sign in. */
  countActive(): Promise<number> {
    return this.database.repository(UserEntity).countBy({ status: 'active' });
  }

  async list({ cursor, limit }: PageQuery): Promise<Page<UserDto>> {
    const after = cursorKey(cursor, UUID_KEY);
    const rows = await this.database.repository(UserEntity).find({
      where: after ? { id: MoreThan(after) } : {},
      order: { id: 'ASC' },
      take: limit + 1,
    });
    return pageOf(rows, limit, (user) => user.id, userDto);
  }

  async me(actor: Actor, tenant: RequestTenant): Promise<MeDto> {
    const known = await this.tenants.byId(tenant.id);
    if (!known) throw new ResourceNotFound('user');
    return {
      type: actor.type,
      ...(await this.#self(actor)),
      tenant: { id: known.id, slug: known.slug, name: known.name, region: known.region },
      ...(actor.scopes && { scopes: [...actor.scopes] }),
    };
  }

  async #self({ type, id, userId = id, roles: [role = ''] }: Actor): Promise<Pick<MeDto, 'user' | 'client'>> {
    if (type === 'client') return { client: { id, role } };
    const user = await this.database.repository(UserEntity).findOneBy({ id: userId });
    if (!user) throw new ResourceNotFound('user');
    const { email = '', ...profile } = profileOf(user);
    return { user: { id: user.id, email, role: user.role, ...profile } };
  }
}

/** Who becomes one of those of whom a second factor is always asked has the days of grace from then on. */
async function askFromNow(database: TenantDatabase, user: UserEntity, role: Role): Promise<void> {
  const administers = (one: Role): boolean => one === 'Owner' || one === 'Admin';
  if (!administers(role) || administers(user.role)) return;
  await database.query({
    text: 'UPDATE users SET second_factor_asked_at = now() WHERE id = $1',
    values: [user.id],
  });
}

function rectify(user: UserEntity, { displayName, phone }: UpdateMeDto): void {
  if (displayName !== undefined) user.displayName = displayName === null ? null : Sealed.of(displayName);
  if (phone !== undefined) user.phone = phone === null ? null : Sealed.of(phone);
}

/** For the log: which fields, and nothing of what they say. */
function changedFields(profile: UpdateMeDto): { readonly fields?: readonly string[] } {
  const fields = Object.entries(profile).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  return fields.length > 0 ? { fields } : {};
}

export function userDto(user: UserEntity): UserDto {
  return {
    id: user.id,
    ...profileOf(user),
    role: user.role,
    status: user.status,
    version: user.version,
    createdAt: user.createdAt.toISOString(),
  };
}

function profileOf({
  email,
  displayName,
  phone,
}: UserEntity): Pick<UserDto, 'email' | 'displayName' | 'phone'> {
  return {
    ...(email && { email: email.reveal() }),
    ...(displayName && { displayName: displayName.reveal() }),
    ...(phone && { phone: phone.reveal() }),
  };
}
