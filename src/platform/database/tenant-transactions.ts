import { Injectable } from '@nestjs/common';
import { Cells } from './cells.js';
import { currentScope, runInScope } from './tenant-scope.js';

/**
 * Writing transactions under the tenant in scope. For `src/audit` alone (checked by the import rules): a mutation
 * without its audit event is not possible, because this is the only way to write.
 */
@Injectable()
export class TenantTransactions {
  constructor(private readonly cells: Cells) {}

  /** Runs `work` in a transaction, or as part of the one that the scope is in already. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const scope = currentScope();
    if (scope.transaction) return work();
    const runner = this.cells.of(scope.cell).tenants.createQueryRunner();
    try {
      await runner.startTransaction();
      const result = await runInScope({ ...scope, transaction: { manager: runner.manager, runner } }, work);
      await runner.commitTransaction();
      return result;
    } catch (error) {
      // A connection that cannot even roll back is closed by the pool's own error handling; the first error counts.
      if (runner.isTransactionActive) await runner.rollbackTransaction().catch(() => undefined);
      throw error;
    } finally {
      await runner.release();
    }
  }

  get active(): boolean {
    return currentScope().transaction !== undefined;
  }
}
