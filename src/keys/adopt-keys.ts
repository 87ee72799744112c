import { Injectable, type OnModuleInit } from '@nestjs/common';
import { KeyRing } from '../encryption/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { UnitOfWork } from '../requests/index.js';

/** Stores the wrapping by the field key of keys that only the KMS wraps, as an earlier version of this program made them. */
@Injectable()
export class AdoptKeys implements OnModuleInit {
  constructor(
    private readonly keys: KeyRing,
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
  ) {}

  onModuleInit(): void {
    this.keys.adoptBy((tenant, adopted) =>
      this.database.within(tenant, () =>
        this.work.bookkeeping('the same keys, wrapped a second time', async () => {
          for (const { id, inner, by } of adopted)
            await this.database.query({
              text: 'UPDATE encryption_keys SET inner_wrapped = $2, wrapped_by = $3 WHERE id = $1 AND wrapped_by IS NULL',
              values: [id, inner, by],
            });
        }),
      ),
    );
  }
}
