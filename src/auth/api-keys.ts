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
import { GrantExceedsOwn, KeyNeedsPerson } from './auth.errors.js';
import { ApiKeyEntity } from './identity.entity.js';
import { secretHash } from './principals.js';

interface Restrictions {
  readonly allowedNetworks?: string[] | null | undefined;
  readonly requestsPerMinute?: number | null | undefined;
}

/** A key on the way in. */
export interface NewApiKey extends Restrictions {
  readonly name: string;
  readonly scopes: string[];
  readonly expiresAt: Date | null;
}

function isSame(some: readonly string[], others: readonly string[]): boolean {
  return JSON.stringify(some.toSorted()) === JSON.stringify(others.toSorted());
}

@Injectable()
export class ApiKeys {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
  ) {}

  async create(actor: Actor, body: CreateApiKeyDto): Promise<CreatedApiKeyDto> {
    if (actor.type === 'client') throw new KeyNeedsPerson();
    const expiresAt = body.expiresAt === undefined ? null : new Date(body.expiresAt);
    if (expiresAt && expiresAt.getTime() <= Date.now()) {
      throw new InvalidRequest([{ pointer: '/expiresAt', detail: 'expiresAt must lie in the future' }]);
    }
    refuseWiderScopes(actor, body.scopes);
    return this.work.run(async () => {
      const restrictions = await this.#restrictions(actor, body);
      const created = await this.insert(actor.userId ?? actor.id, { ...body, ...restrictions, expiresAt });
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
    { name, scopes, expiresAt, allowedNetworks, requestsPerMinute }: NewApiKey,
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
      lastUsedAt: null,
      allowedNetworks: allowedNetworks ?? null,
      requestsPerMinute: requestsPerMinute ?? null,
      replacedBy: null,
    });
    await keys.insert(entity);
    return { ...apiKeyDto(entity), key };
  }

  /** A key that makes keys makes none that may be used from elsewhere, or more often, than itself. */
  async #restrictions(actor: Actor, asked: Restrictions): Promise<Restrictions> {
    if (actor.type !== 'api_key') return asked;
    const own = await this.database.repository(ApiKeyEntity).findOneBy({ id: actor.id });
    const allowedNetworks = own?.allowedNetworks ?? asked.allowedNetworks;
    if (own?.allowedNetworks && asked.allowedNetworks && !isSame(own.allowedNetworks, asked.allowedNetworks))
      throw new GrantExceedsOwn('use from other networks');
    const most = Math.min(own?.requestsPerMinute ?? Infinity, asked.requestsPerMinute ?? Infinity);
    return { allowedNetworks, requestsPerMinute: most === Infinity ? undefined : most };
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
export function refuseWiderScopes(actor: Actor, scopes: readonly string[]): void {
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
    ...(key.lastUsedAt && { lastUsedAt: key.lastUsedAt.toISOString() }),
    ...(key.allowedNetworks && { allowedNetworks: key.allowedNetworks }),
    ...(key.requestsPerMinute !== null && { requestsPerMinute: key.requestsPerMinute }),
    ...(key.replacedBy && { replacedBy: key.replacedBy }),
    ...(key.revokedAt && { revokedAt: key.revokedAt.toISOString() }),
  };
}
