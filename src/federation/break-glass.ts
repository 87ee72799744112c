import { Injectable } from '@nestjs/common';
import { In } from 'typeorm';
import { lockOwners, UserEntity } from '../auth/index.js';
import { Domains, fitBreakGlassOwners, SsoNotReady, type DomainDto } from '../domains/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { auditDetails, type Actor } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { ConnectionStore } from './connection-store.js';
import { BreakGlassUnfit } from './federation.errors.js';
import type { BreakGlassDto } from './sign-in.dto.js';

/** Passwords refused for a domain, and the owners who may use theirs all the same when the provider is away. */
@Injectable()
export class BreakGlass {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly domains: Domains,
    private readonly store: ConnectionStore,
  ) {}

  async get(): Promise<BreakGlassDto> {
    const rows = await this.database.query<{ user_id: string }>({
      text: 'SELECT user_id FROM break_glass_owners ORDER BY user_id',
      values: [],
    });
    return { userIds: rows.map(({ user_id }) => user_id) };
  }

  async set(actor: Actor, userIds: readonly string[]): Promise<BreakGlassDto> {
    return this.work.run(async () => {
      await lockOwners(this.database);
      const owners = await this.database.repository(UserEntity).findBy({ id: In([...userIds]) });
      const fit = owners.filter(
        (one) => one.role === 'Owner' && one.status === 'active' && one.passwordHash !== null,
      );
      if (fit.length !== userIds.length) throw new BreakGlassUnfit();
      if (userIds.length === 0 && (await this.domains.anyRequired())) throw new SsoNotReady();
      await this.database.query({ text: 'DELETE FROM break_glass_owners', values: [] });
      await this.database.query({
        text: 'INSERT INTO break_glass_owners (user_id, named_by) SELECT unnest($1::uuid[]), $2',
        values: [userIds, actor.id],
      });
      auditDetails({ changes: { owners: userIds } });
      return { userIds: [...userIds].toSorted() };
    });
  }

  /** Nobody is shut out: there has to be a way in, and one for when that fails. @throws {SsoNotReady} */
  async setSsoRequired(id: string, ssoRequired: boolean, version: number | undefined): Promise<DomainDto> {
    return this.domains.setSsoRequired(id, ssoRequired, version, async () => {
      await lockOwners(this.database);
      const fit = await fitBreakGlassOwners(this.database);
      if (fit.length === 0 || (await this.store.countActive()) === 0) throw new SsoNotReady();
    });
  }
}
