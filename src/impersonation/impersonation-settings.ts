import { Injectable } from '@nestjs/common';
import { TenantDatabase } from '../platform/database/index.js';
import { auditDetails, type Actor } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import type { ImpersonationSettingsDto } from './impersonation.dto.js';

const OFF: ImpersonationSettingsDto = { allowed: false, writes: false };

/** Whether support may begin without being approved. Off until an Owner says otherwise. */
@Injectable()
export class ImpersonationSettings {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
  ) {}

  async read(): Promise<ImpersonationSettingsDto> {
    const [row] = await this.database.query<{ allowed: boolean; writes: boolean }>({
      text: 'SELECT allowed, writes FROM impersonation_settings',
      values: [],
    });
    return row ?? OFF;
  }

  async allows(writes: boolean): Promise<boolean> {
    const settings = await this.read();
    return settings.allowed && (settings.writes || !writes);
  }

  async set(actor: Actor, { allowed, writes }: ImpersonationSettingsDto): Promise<ImpersonationSettingsDto> {
    return this.work.run(async () => {
      auditDetails({ changes: { allowed, writes } });
      await this.database.query({
        text: `INSERT INTO impersonation_settings (allowed, writes, set_by) VALUES ($1, $2, $3)
          ON CONFLICT (one) DO UPDATE SET allowed = $1, writes = $2, set_by = $3, set_at = now()`,
        values: [allowed, writes, actor.id],
      });
      return { allowed, writes };
    });
  }
}
