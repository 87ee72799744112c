import { Injectable, type OnModuleInit } from '@nestjs/common';
import { KeyRing, SubjectKeys } from '../encryption/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { UnitOfWork } from '../requests/index.js';

/**
 * Stores what an earlier version of this program has not: the wrapping by the field key of keys that only the KMS wraps,
 * and the keys of persons who have none.
 */
@Injectable()
export class AdoptKeys implements OnModuleInit {
  constructor(
    private readonly keys: KeyRing,
    private readonly subjects: SubjectKeys,
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
    this.subjects.adoptBy((tenant, statement) =>
      this.database.within(tenant, () =>
        this.work.bookkeeping('a key that seals what is stored from now on', async () => {
          await this.database.query(statement);
        }),
      ),
    );
  }
}
