import { Injectable } from '@nestjs/common';
import { MoreThan } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { BlindLookup, Sealed } from '../encryption/index.js';
import { announce, currentTenant, TenantDatabase } from '../platform/database/index.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import { cursorKey, pageOf, UUID_KEY, type Page, type PageQuery } from '../platform/http/pagination.js';
import { VersionMismatch } from '../platform/http/parameters.js';
import { auditDetails, type Actor, type RequestTenant } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { EnforceQuotas, TenantRegistry } from '../tenancy/index.js';
import type { CreateUserDto, MeDto, UpdateUserDto, UserDto } from './auth.dto.js';
import { EmailTaken, GrantExceedsOwn, LastOwner } from './auth.errors.js';
import { ROLES, UserEntity, type Role } from './identity.entity.js';
import { hashPassword } from './password.js';

/** A person on the way in. */
export interface NewUser {
  readonly email: string;
  readonly passwordHash: string;
  readonly role: Role;
  readonly displayName?: string;
}

@Injectable()
export class Users {
  constructor(
    private readonly database: TenantDatabase,
    private readonly lookup: BlindLookup,
    private readonly work: UnitOfWork,
    private readonly tenants: TenantRegistry,
    private readonly quotas: EnforceQuotas,
  ) {}

  async create(actor: Actor, body: CreateUserDto): Promise<UserDto> {
    refuseAbove(actor, body.role);
    const passwordHash = await hashPassword(body.password);
    return this.work.run(async () => {
      await this.quotas.requireRoom('users', () => this.countActive());
      const user = await this.insert({ ...body, passwordHash });
      auditDetails({ resource: { type: 'user', id: user.id }, changes: { role: body.role } });
      return userDto(user);
    });
  }

  /** Inserts into the running transaction. */
  async insert(user: NewUser): Promise<UserEntity> {
    const users = this.database.repository(UserEntity);
    if (await this.lookup.findOne(UserEntity, 'email', user.email)) throw new EmailTaken();
    const entity = users.create({
      id: uuidv7(),
      email: Sealed.of(user.email.trim()),
      displayName: user.displayName === undefined ? null : Sealed.of(user.displayName),
      passwordHash: user.passwordHash,
      role: user.role,
      status: 'active',
      epoch: 0,
    });
    try {
      await users.insert(entity);
      return entity;
    } catch (error) {
      const { driverError } = error as { driverError?: { constraint?: string } };
      if (driverError?.constraint?.startsWith('users_email_index_')) throw new EmailTaken();
      throw error;
    }
  }

  /** Roles and status. Every change ends the person's sessions for good, and disabling ends their keys as well. */
  async update(actor: Actor, id: string, body: UpdateUserDto, version: number | undefined): Promise<UserDto> {
    return this.work.run(async () => {
      const users = this.database.repository(UserEntity);
      // Owners are locked together, so that two demotions at once cannot leave none.
      const owners = await users.find({
        where: { role: 'Owner', status: 'active' },
        select: { id: true },
        lock: { mode: 'pessimistic_write' },
      });
      const user = await users.findOne({ where: { id }, lock: { mode: 'pessimistic_write' } });
      if (!user) throw new ResourceNotFound('user');
      if (version !== undefined && version !== user.version) throw new VersionMismatch();
      refuseAbove(actor, user.role);
      if (body.role) refuseAbove(actor, body.role);
      const stops = body.status === 'disabled' || (body.role !== undefined && body.role !== 'Owner');
      if (stops && owners.length === 1 && owners[0]?.id === id) throw new LastOwner();
      if (body.status === 'active' && user.status !== 'active')
        await this.quotas.requireRoom('users', () => this.countActive());
      user.role = body.role ?? user.role;
      user.status = body.status ?? user.status;
      user.epoch += 1;
      const saved = await users.save(user);
      // Marked, not only judged by the person's status: what is dead must stay dead when the person is enabled again.
      await this.#revokeAll('sessions', id);
      if (body.status === 'disabled') await this.#revokeAll('api_keys', id);
      await this.database.query(announce({ kind: 'user', tenant: currentTenant().id, id }));
      auditDetails({ resource: { type: 'user', id }, changes: { ...body } });
      return userDto(saved);
    });
  }

  async #revokeAll(table: 'sessions' | 'api_keys', userId: string): Promise<void> {
    await this.database.query({
      text: `UPDATE ${table} SET revoked_at = now() WHERE user_id = $1 AND revoked_at IS NULL`,
      values: [userId],
    });
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
    const user = await this.database.repository(UserEntity).findOneBy({ id: actor.userId ?? actor.id });
    const known = await this.tenants.byId(tenant.id);
    if (!user || !known) throw new ResourceNotFound('user');
    const { id, email, displayName, role } = userDto(user);
    return {
      type: actor.type,
      user: { id, email, role, ...(displayName !== undefined && { displayName }) },
      tenant: { id: known.id, slug: known.slug, name: known.name, region: known.region },
      ...(actor.scopes && { scopes: [...actor.scopes] }),
    };
  }
}

/** Roles are ordered: nobody gives, or takes from, a role above their own. */
function refuseAbove(actor: Actor, role: Role): void {
  const own = Math.min(...actor.roles.map((held) => ROLES.indexOf(held as Role)).filter((rank) => rank >= 0));
  if (ROLES.indexOf(role) < own) throw new GrantExceedsOwn(`the role ${role}`);
}

function userDto(user: UserEntity): UserDto {
  return {
    id: user.id,
    email: user.email.reveal(),
    ...(user.displayName && { displayName: user.displayName.reveal() }),
    role: user.role,
    status: user.status,
    version: user.version,
    createdAt: user.createdAt.toISOString(),
  };
}
