import { Injectable } from '@nestjs/common';
import { announce, currentTenant, TenantDatabase } from '../platform/database/index.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import { auditDetails, type Actor } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { ApiKeys } from './api-keys.js';
import type { CreatedApiKeyDto } from './auth.dto.js';
import { ApiKeyEnded, GrantExceedsOwn } from './auth.errors.js';
import { ApiKeyEntity } from './identity.entity.js';
import { OwnCeiling } from './own-ceiling.js';

/** Puts another key in the place of one, which goes on for a while, so that what uses it can be told the new one. */
@Injectable()
export class RotateApiKey {
  constructor(
    private readonly database: TenantDatabase,
    private readonly apiKeys: ApiKeys,
    private readonly work: UnitOfWork,
    private readonly ceiling: OwnCeiling,
  ) {}

  /**
   * The new key can do what the former one could, from the same places, for the same person: so nobody rotates the key of
   * somebody else, nor with a key one that is less limited than it.
   */
  async execute(actor: Actor, id: string, overlapSeconds: number): Promise<CreatedApiKeyDto> {
    return this.work.run(async () => {
      const keys = this.database.repository(ApiKeyEntity);
      const former = await keys.findOne({ where: { id }, lock: { mode: 'pessimistic_write' } });
      if (!former) throw new ResourceNotFound('API key');
      if (former.userId !== (actor.userId ?? actor.id)) throw new GrantExceedsOwn("another person's key");
      await this.ceiling.require(actor, former);
      const now = Date.now();
      if (former.revokedAt || (former.expiresAt && former.expiresAt.getTime() <= now) || former.replacedBy)
        throw new ApiKeyEnded();
      const created = await this.apiKeys.insert(former.userId, former);
      const until = Math.min(now + overlapSeconds * 1_000, former.expiresAt?.getTime() ?? Infinity);
      await keys.update({ id }, { expiresAt: new Date(until), replacedBy: created.id });
      await this.database.query(announce({ kind: 'api_key', tenant: currentTenant().id, id }));
      auditDetails({
        resource: { type: 'api_key', id },
        changes: { replacedBy: created.id, overlapSeconds },
      });
      return created;
    });
  }
}
