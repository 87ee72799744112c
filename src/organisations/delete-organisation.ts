import { Injectable } from '@nestjs/common';
import { OperationRunner, Operations, OperationUnderWay } from '../operations/index.js';
import type { TenantId } from '../platform/database/index.js';
import { AppError, InvalidRequest } from '../platform/http/errors.js';
import { auditDetails } from '../platform/http/request-context.js';
import { LegalHolds } from '../retention/index.js';
import type { Tenant } from '../tenancy/index.js';
import { ChangeOrganisation } from './change-organisation.js';
import { ExportOrganisation } from './export-organisation.js';
import { PURGE } from './purge-organisation.js';

export const DEFAULT_GRACE_DAYS = 14;

export class PurgeBegun extends AppError {
  readonly kind = 'conflict';
  readonly code = 'PURGE_BEGUN';
  constructor() {
    super('The purge of this organisation is beginning at this moment, which cannot be taken back.');
  }
}

/** Deletes an organisation: at once nobody can use it; when the days of grace are over it is purged. */
@Injectable()
export class DeleteOrganisation {
  constructor(
    private readonly change: ChangeOrganisation,
    private readonly operations: Operations,
    private readonly exports: ExportOrganisation,
    private readonly runner: OperationRunner,
    private readonly holds: LegalHolds,
  ) {}

  /** @param confirm the organisation's slug, needed where there is no grace */
  async delete(
    id: TenantId,
    { graceDays = DEFAULT_GRACE_DAYS, confirm }: { graceDays?: number; confirm?: string },
  ): Promise<Tenant> {
    const deleted = await this.change.execute(id, 'delete', async (registry, { slug, movingTo }) => {
      await this.holds.requireNone(registry, { id });
      // A purge would take away what the move still copies. Once cut over, the move only clears what it left behind.
      if (movingTo !== undefined) throw new OperationUnderWay('move');
      if (graceDays === 0 ? confirm !== slug : confirm !== undefined && confirm !== slug)
        throw new InvalidRequest([
          { pointer: '/confirm', detail: "confirm must be the organisation's slug" },
        ]);
      const { rows } = await registry.query<{ at: Date }>({
        text: 'SELECT now() + make_interval(days => $1) AS at',
        values: [graceDays],
      });
      const [due] = rows;
      if (!due) throw new Error('The database did not tell the time.');
      await this.operations.start(registry, {
        kind: PURGE,
        tenant: id,
        step: 'refuse',
        afterSeconds: graceDays * 86_400,
      });
      // Without grace there is nobody who could fetch it.
      if (graceDays > 0) await this.exports.begin(registry, id);
      auditDetails({ changes: { graceDays, purgeAfter: due.at.toISOString() } });
      return { deleteAfter: due.at };
    });
    this.runner.nudge();
    return deleted;
  }

  /** Takes the deletion back, as long as the purge has not begun. One that was suspended is suspended again. */
  async restore(id: TenantId): Promise<Tenant> {
    return this.change.execute(id, 'restore', async (registry) => {
      if (!(await this.operations.cancel(registry, id, PURGE))) throw new PurgeBegun();
      await this.exports.takeBack(registry, id);
      return { deleteAfter: undefined };
    });
  }
}
