import { Injectable } from '@nestjs/common';
import { FieldEncryption } from '../encryption/index.js';
import { Cells, currentTenant, PLATFORM_TENANT, TenantDatabase } from '../platform/database/index.js';
import { auditDetails, type RequestTenant } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { newResetId, requestPlace, type ResetRequest } from './reset-request.js';

/**
 * Asks for a link by which a password is set anew. The request is put aside as it is, for whoever it may be: whether
 * there is such a person is looked up later, by `SendResets`, so neither answer nor time can tell.
 */
@Injectable()
export class AskReset {
  constructor(
    private readonly cells: Cells,
    private readonly database: TenantDatabase,
    private readonly encryption: FieldEncryption,
    private readonly work: UnitOfWork,
  ) {}

  async execute(tenant: RequestTenant | undefined, email: string): Promise<void> {
    auditDetails({ personal: { email } });
    // Where there is no such organisation the same is done in the installation's own, which has no people.
    await this.database.within(tenant ?? this.cells.home.tenant(PLATFORM_TENANT), async () => {
      const id = newResetId();
      const request: ResetRequest = { email };
      const sealed = await this.encryption.sealJson(currentTenant(), requestPlace(id), request);
      await this.work.run(async () => {
        await this.database.query({
          text: 'SELECT work.ask_password_reset($1, $2)',
          values: [id, sealed],
        });
      });
    });
  }
}
