import { Injectable } from '@nestjs/common';
import { MoreThan } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { includedScopes } from '../access/index.js';
import { announce, currentTenant, TenantDatabase } from '../platform/database/index.js';
import { newKey, visiblePrefix } from '../platform/http/credential.js';
import { InvalidRequest, ResourceNotFound } from '../platform/http/errors.js';
import { cursorKey, pageOf, UUID_KEY, type Page, type PageQuery } from '../platform/http/pagination.js';
import { auditDetails, type Actor } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import type { ApiKeyDto, CreateApiKeyDto, CreatedApiKeyDto } from './auth.dto.js';
import { GrantExceedsOwn } from './auth.errors.js';
import { ApiKeyEntity } from './identity.entity.js';
import { secretHash } from './principals.js';

@Injectable()
export class ApiKeys {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
  ) {}

  async create(actor: Actor, body: CreateApiKeyDto): Promise<CreatedApiKeyDto> {
    const expiresAt = body.expiresAt === undefined ? null : new Date(body.expiresAt);
    if (expiresAt && expiresAt.getTime() <= Date.now()) {
      throw new InvalidRequest([{ pointer: '/expiresAt', detail: 'expiresAt must lie in the future' }]);
    }
    refuseWiderScopes(actor, body.scopes);
    return this.work.run(async () => {
      const created = await this.insert(actor.userId ?? actor.id, { ...body, expiresAt });
      auditDetails({
        resource: { type: 'api_key', id: created.id },
        changes: { name: body.name, scopes: body.scopes },
      });
      return created;
    });
  }

  /** Inserts into the running transaction. */
  async insert(
    userId: string,
    { name, scopes, expiresAt }: { name: string; scopes: string[]; expiresAt: Date | null },
  ): Promise<CreatedApiKeyDto> {
    const key = newKey(currentTenant().id);
    const keys = this.database.repository(ApiKeyEntity);
    const entity = keys.create({
      id: uuidv7(),
      name,
      prefix: visiblePrefix(key),
      secretHash: secretHash(key),
      scopes,
      userId,
      expiresAt,
      revokedAt: null,
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

/** A key that makes keys makes none that can do more than itself. */
function refuseWiderScopes(actor: Actor, scopes: readonly string[]): void {
  if (!actor.scopes) return;
  const own = new Set(includedScopes(actor.scopes));
  const wider = includedScopes(scopes).find((scope) => !own.has(scope));
  if (wider) throw new GrantExceedsOwn(`the scope ${wider}`);
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
    ...(key.revokedAt && { revokedAt: key.revokedAt.toISOString() }),
  };
}
