import { Injectable } from '@nestjs/common';
import { MoreThan } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { accessChanged, EVERYBODY } from '../access/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { givenFields } from '../platform/http/fields.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import { cursorKey, pageOf, UUID_KEY, type Page, type PageQuery } from '../platform/http/pagination.js';
import { VersionMismatch } from '../platform/http/parameters.js';
import { auditDetails, type Actor } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { RequireHeld } from './require-held.js';
import { GrantEntity, RoleEntity } from './role.entity.js';
import type { CreateRoleDto, RoleDto, UpdateRoleDto } from './roles.dto.js';
import { RoleInUse, RoleNameTaken, TooManyRoles } from './roles.errors.js';

const MOST = 100;
const UNIQUE_VIOLATION = '23505';
const FOREIGN_KEY_VIOLATION = '23503';

/** Roles that an organisation makes itself. */
@Injectable()
export class Roles {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly held: RequireHeld,
  ) {}

  async create(actor: Actor, { name, description = '', permissions }: CreateRoleDto): Promise<RoleDto> {
    return this.work.run(async () => {
      await this.held.everywhere(actor, permissions);
      const roles = this.database.repository(RoleEntity);
      // One that is being made beside this one is not counted: the limit is there for order, not for safety.
      if ((await roles.count()) >= MOST) throw new TooManyRoles(MOST);
      const role = roles.create({ id: uuidv7(), name, description, permissions, createdBy: actor.id });
      auditDetails({ resource: { type: 'role', id: role.id }, changes: { name, permissions } });
      await unlessTaken(roles.insert(role));
      return roleDto(role);
    });
  }

  async list({ cursor, limit }: PageQuery): Promise<Page<RoleDto>> {
    const after = cursorKey(cursor, UUID_KEY);
    const rows = await this.database.repository(RoleEntity).find({
      where: after ? { id: MoreThan(after) } : {},
      order: { id: 'ASC' },
      take: limit + 1,
    });
    return pageOf(rows, limit, (role) => role.id, roleDto);
  }

  /**
   * A change is a grant to everybody who holds the role, wherever: it needs all that the role has then, in the whole
   * organisation.
   */
  async update(actor: Actor, id: string, body: UpdateRoleDto, version: number | undefined): Promise<RoleDto> {
    return this.work.run(async () => {
      const role = await this.#locked(id);
      if (version !== undefined && version !== role.version) throw new VersionMismatch();
      const { name = role.name, description = role.description, permissions = role.permissions } = body;
      await this.held.everywhere(actor, permissions);
      auditDetails({
        resource: { type: 'role', id },
        changes: { fields: givenFields(body), permissions, before: role.permissions },
      });
      Object.assign(role, { name, description, permissions });
      const saved = await unlessTaken(this.database.repository(RoleEntity).save(role));
      await this.database.query(accessChanged(EVERYBODY));
      return roleDto(saved);
    });
  }

  async delete(id: string, version: number | undefined): Promise<void> {
    await this.work.run(async () => {
      const role = await this.#locked(id);
      if (version !== undefined && version !== role.version) throw new VersionMismatch();
      if (await this.database.repository(GrantEntity).existsBy({ roleId: id })) throw new RoleInUse();
      auditDetails({ resource: { type: 'role', id }, changes: { name: role.name } });
      try {
        await this.database.repository(RoleEntity).delete({ id });
      } catch (error) {
        if (codeOf(error) === FOREIGN_KEY_VIOLATION) throw new RoleInUse();
        throw error;
      }
    });
  }

  async #locked(id: string): Promise<RoleEntity> {
    const role = await this.database
      .repository(RoleEntity)
      .findOne({ where: { id }, lock: { mode: 'pessimistic_write' } });
    if (!role) throw new ResourceNotFound('role');
    return role;
  }
}

async function unlessTaken<T>(written: Promise<T>): Promise<T> {
  try {
    return await written;
  } catch (error) {
    if (codeOf(error) === UNIQUE_VIOLATION) throw new RoleNameTaken();
    throw error;
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as { driverError?: { code?: string } }).driverError?.code;
}

function roleDto(role: RoleEntity): RoleDto {
  const { id, name, description, permissions, version, createdBy } = role;
  return {
    id,
    name,
    description,
    permissions,
    version,
    createdBy,
    createdAt: role.createdAt.toISOString(),
    updatedAt: role.updatedAt.toISOString(),
  };
}
