import { Injectable } from '@nestjs/common';
import { MoreThan } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { announce, currentTenant, TenantDatabase } from '../platform/database/index.js';
import { newKey, visiblePrefix } from '../platform/http/credential.js';
import { InvalidRequest, ResourceNotFound } from '../platform/http/errors.js';
import { cursorKey, pageOf, UUID_KEY, type Page, type PageQuery } from '../platform/http/pagination.js';
import { auditDetails, type Actor } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import type { ApiKeyDto, CreateApiKeyDto, CreatedApiKeyDto } from './auth.dto.js';
import { KeyNeedsPerson } from './auth.errors.js';
import { ApiKeyEntity } from './identity.entity.js';
import { OwnCeiling, type Limits } from './own-ceiling.js';
import { secretHash } from './principals.js';

/** A key on the way in. */
export interface NewApiKey extends Partial<
  Pick<Limits, 'allowedNetworks' | 'projects' | 'requestsPerMinute'>
> {
  readonly expiresAt: Date | null;
  readonly name: string;
  readonly scopes: readonly string[];
}

@Injectable()
export class ApiKeys {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly ceiling: OwnCeiling,
  ) {}

  async create(actor: Actor, body: CreateApiKeyDto): Promise<CreatedApiKeyDto> {
    if (actor.type === 'client') throw new KeyNeedsPerson();
    const expiresAt = body.expiresAt === undefined ? undefined : new Date(body.expiresAt);
    if (expiresAt && expiresAt.getTime() <= Date.now()) {
      throw new InvalidRequest([{ pointer: '/expiresAt', detail: 'expiresAt must lie in the future' }]);
    }
    return this.work.run(async () => {
      const inherited = await this.ceiling.defaults(actor);
      const asked = {
        name: body.name,
        scopes: body.scopes,
        allowedNetworks: body.allowedNetworks ?? inherited.allowedNetworks,
        projects: body.projects ?? inherited.projects,
        requestsPerMinute: body.requestsPerMinute ?? inherited.requestsPerMinute,
        expiresAt: expiresAt ?? inherited.expiresAt,
      };
      await this.ceiling.require(actor, asked);
      const created = await this.insert(actor.userId ?? actor.id, asked);
      auditDetails({
        resource: { type: 'api_key', id: created.id },
        changes: {
          name: body.name,
          scopes: body.scopes,
          ...(asked.projects && { projects: asked.projects }),
        },
      });
      return created;
    });
  }

  /** Inserts into the running transaction. */
  async insert(
    userId: string,
    { name, scopes, expiresAt, allowedNetworks = null, projects = null, requestsPerMinute = null }: NewApiKey,
  ): Promise<CreatedApiKeyDto> {
    const key = newKey(currentTenant().id);
    const keys = this.database.repository(ApiKeyEntity);
    const entity = keys.create({
      id: uuidv7(),
      name,
      prefix: visiblePrefix(key),
      secretHash: secretHash(key),
      scopes: [...scopes],
      userId,
      expiresAt,
      revokedAt: null,
      lastUsedAt: null,
      allowedNetworks,
      projects,
      requestsPerMinute,
      replacedBy: null,
    });
    await keys.insert(entity);
    return { ...apiKeyDto(entity), key };
  }

  async list({ cursor, limit }: PageQuery): Promise<Page<ApiKeyDto>> {
    const after = cursorKey(cursor, UUID_KEY);
    const rows = await this.database.repository(ApiKeyEntity).find({
      where: after ? { id: MoreThan(after) } : {},
      order: { id: 'ASC' },
      take: limit + 1,
    });
    return pageOf(rows, limit, (key) => key.id, apiKeyDto);
  }

  /** Revoking twice is no error: the key is dead either way. */
  async revoke(id: string): Promise<void> {
    await this.work.run(async () => {
      const keys = this.database.repository(ApiKeyEntity);
      const key = await keys.findOne({ where: { id }, lock: { mode: 'pessimistic_write' } });
      if (!key) throw new ResourceNotFound('API key');
      if (!key.revokedAt) await keys.update({ id }, { revokedAt: new Date() });
      await this.database.query(announce({ kind: 'api_key', tenant: currentTenant().id, id }));
      auditDetails({ resource: { type: 'api_key', id } });
    });
  }
}

function apiKeyDto(key: ApiKeyEntity): ApiKeyDto {
  return {
    id: key.id,
    name: key.name,
    prefix: key.prefix,
    scopes: key.scopes,
    userId: key.userId,
    createdAt: key.createdAt.toISOString(),
    ...(key.expiresAt && { expiresAt: key.expiresAt.toISOString() }),
    ...(key.lastUsedAt && { lastUsedAt: key.lastUsedAt.toISOString() }),
    ...(key.allowedNetworks && { allowedNetworks: key.allowedNetworks }),
    ...(key.projects && { projects: key.projects }),
    ...(key.requestsPerMinute !== null && { requestsPerMinute: key.requestsPerMinute }),
    ...(key.replacedBy && { replacedBy: key.replacedBy }),
    ...(key.revokedAt && { revokedAt: key.revokedAt.toISOString() }),
  };
}
