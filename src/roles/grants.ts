import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import {
  accessChanged,
  EVERYBODY,
  organisation,
  permissionsOf,
  ResourceTree,
  type PermissionName,
  type Resource,
} from '../access/index.js';
import { UserEntity } from '../auth/index.js';
import { currentTenant, TenantDatabase, type Statement } from '../platform/database/index.js';
import { InvalidRequest, ResourceNotFound } from '../platform/http/errors.js';
import type { ResourceName } from '../platform/http/grants.js';
import { cursorKey, pageOf, UUID_KEY, type Page } from '../platform/http/pagination.js';
import { auditDetails, type Actor } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import type { CreateGrantDto, GrantDto, GrantsQuery, PrincipalDto } from './grants.dto.js';
import { GroupGrants } from './group-grants.js';
import { RequireHeld } from './require-held.js';
import { GrantEntity, PRINCIPAL_TYPES, RoleEntity, type PrincipalType } from './role.entity.js';
import { GrantExists, GrantToSelf, TooManyGrants } from './roles.errors.js';

/** Each is a policy more to decide by. */
const MOST_OF_A_PRINCIPAL = 50;
/** Those on something and on what is in it: a project's, and its agents'. */
const ON_OR_IN = `held.resource_type = :kind AND held.resource_id = :id
  OR :kind = 'project' AND held.resource_type = 'agent'
    AND held.resource_id IN (SELECT a.id::text FROM agents a WHERE a.project_id::text = :id)`;

/** Roles that are granted on an organisation, a project or an agent, to a person, a group or a service account. */
@Injectable()
export class Grants {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly tree: ResourceTree,
    private readonly held: RequireHeld,
    private readonly groups: GroupGrants,
  ) {}

  async create(actor: Actor, on: ResourceName, body: CreateGrantDto): Promise<GrantDto> {
    const { principal, role, roleId } = body;
    if (role !== undefined && roleId !== undefined)
      throw new InvalidRequest([
        { pointer: '/roleId', detail: 'roleId must be left out where role is named' },
      ]);
    if (principal.id === (actor.userId ?? actor.id)) throw new GrantToSelf();
    return this.work.run(async () => {
      await this.#requirePrincipal(principal);
      if (principal.type === 'group') await this.groups.requireOthers(actor, principal.id);
      await this.held.on(actor, await this.#permissionsOf(body), await this.#resource(on));
      const grants = this.database.repository(GrantEntity);
      const holder = holderOf(principal);
      if ((await grants.countBy(holder)) >= MOST_OF_A_PRINCIPAL) throw new TooManyGrants(MOST_OF_A_PRINCIPAL);
      const grant = {
        id: uuidv7(),
        userId: null,
        groupId: null,
        serviceAccountId: null,
        ...holder,
        role: role ?? null,
        roleId: roleId ?? null,
        resourceType: on.kind,
        resourceId: on.id,
      };
      // What is null is not looked at: a grant has one holder and one role.
      const { id: _id, ...same } = grant;
      const named = Object.fromEntries(Object.entries(same).filter(([, value]) => value !== null));
      if (await grants.existsBy(named)) throw new GrantExists();
      const created = grants.create({ ...grant, createdBy: actor.id });
      await grants.insert(created);
      await this.database.query(changed(created));
      auditDetails({ resource: { type: 'grant', id: grant.id }, changes: told(created) });
      return grantDto(created);
    });
  }

  async list(
    { cursor, limit, principalId, roleId }: GrantsQuery,
    on?: ResourceName,
  ): Promise<Page<GrantDto>> {
    const after = cursorKey(cursor, UUID_KEY);
    const rows = await this.database
      .repository(GrantEntity)
      .createQueryBuilder('held')
      .where(on ? `(${ON_OR_IN})` : 'TRUE', { ...on })
      .andWhere(after === undefined ? 'TRUE' : 'held.id > :after', { after })
      .andWhere(
        principalId === undefined
          ? 'TRUE'
          : ':principalId IN (held.user_id, held.group_id, held.service_account_id)',
        {
          principalId,
        },
      )
      .andWhere(roleId === undefined ? 'TRUE' : 'held.role_id = :roleId', { roleId })
      .orderBy('held.id')
      .limit(limit + 1)
      .getMany();
    return pageOf(rows, limit, (grant) => grant.id, grantDto);
  }

  /** Effective on every process within a second. One of another part of the organisation is not found. */
  async revoke(id: string, on?: ResourceName): Promise<void> {
    await this.work.run(async () => {
      const grants = this.database.repository(GrantEntity);
      const grant = await grants
        .createQueryBuilder('held')
        .where('held.id = :grantId', { grantId: id })
        .andWhere(on ? `(${ON_OR_IN})` : 'TRUE', { ...on })
        .getOne();
      if (!grant) throw new ResourceNotFound('grant');
      const { affected } = await grants.delete({ id });
      // Somebody else has revoked it in this moment, and theirs is the event that says so.
      if (affected === 0) throw new ResourceNotFound('grant');
      await this.database.query(changed(grant));
      auditDetails({ resource: { type: 'grant', id }, changes: told(grant) });
    });
  }

  /** Locked, so that two grants at once are counted one after the other. */
  async #requirePrincipal({ type, id }: PrincipalDto): Promise<void> {
    if (type !== 'user') return this.#requireOther(type, id);
    const person = await this.database
      .repository(UserEntity)
      .findOne({ where: { id }, lock: { mode: 'pessimistic_write' } });
    if (!person || person.status === 'erased') throw new ResourceNotFound('user');
  }

  /** The rows are other rooms', which import this one. */
  async #requireOther(type: Exclude<PrincipalType, 'user'>, id: string): Promise<void> {
    const text = `SELECT FROM ${TABLES[type]} WHERE id = $1 FOR UPDATE`;
    const { rowCount } = await this.database.execute({ text, values: [id] });
    if (rowCount === 0) throw new ResourceNotFound(type.replace('_', ' '));
  }

  /** Of a role of the organisation's own as it is until this grant is made: whoever changes it waits, and then knows of it. */
  async #permissionsOf({ role, roleId }: CreateGrantDto): Promise<readonly PermissionName[]> {
    if (role !== undefined) return permissionsOf(role);
    const own = await this.database
      .repository(RoleEntity)
      .findOne({ where: { id: roleId ?? '' }, lock: { mode: 'pessimistic_read' } });
    if (!own) throw new ResourceNotFound('role');
    return own.permissions;
  }

  async #resource({ kind, id }: ResourceName): Promise<Resource> {
    const tenant = currentTenant();
    if (kind === 'organisation') return organisation(tenant.id);
    const resource = await this.tree.find(tenant, kind, id);
    if (!resource) throw new ResourceNotFound(kind);
    return resource;
  }
}

const TABLES = { group: 'groups', service_account: 'oauth_clients' } as const;
const HOLDERS = { user: 'userId', group: 'groupId', service_account: 'serviceAccountId' } as const;

function holderOf({ type, id }: PrincipalDto): Partial<Record<keyof Holder, string>> {
  return { [HOLDERS[type]]: id };
}

/** Who is in a group is many: what everybody may do is read anew. */
function changed({ userId, serviceAccountId }: GrantEntity): Statement {
  return accessChanged(userId ?? serviceAccountId ?? EVERYBODY);
}

function principalOf(grant: GrantEntity): PrincipalDto {
  const type = PRINCIPAL_TYPES.find((one) => grant[HOLDERS[one]] !== null) ?? 'user';
  return { type, id: grant[HOLDERS[type]] ?? '' };
}

type Holder = Pick<GrantEntity, (typeof HOLDERS)[PrincipalType]>;

/** For the log: who holds what, on what. */
function told(grant: GrantEntity) {
  const { role, roleId, resourceType, resourceId } = grant;
  return {
    principal: principalOf(grant),
    ...(role !== null ? { role } : { roleId }),
    on: { type: resourceType, id: resourceId },
  };
}

function grantDto(grant: GrantEntity): GrantDto {
  return {
    id: grant.id,
    principal: principalOf(grant),
    ...(grant.role !== null && { role: grant.role }),
    ...(grant.roleId !== null && { roleId: grant.roleId }),
    resource: { type: grant.resourceType, id: grant.resourceId },
    createdBy: grant.createdBy,
    createdAt: grant.createdAt.toISOString(),
  };
}
