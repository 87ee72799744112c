import { Injectable } from '@nestjs/common';
import type pg from 'pg';
import type { QueryRunner } from 'typeorm';
import { Cells } from './cells.js';
import type { TenantClient } from './tenant-client.js';
import { currentScope, runInScope, type ActiveTransaction } from './tenant-scope.js';

/** PostgreSQL's code for whatever follows a failed statement in its transaction. */
const FAILED_BEFORE = '25P02';

/**
 * Writing transactions under the tenant in scope. For `src/requests` alone (checked by the import rules): a mutation
 * without its audit event is not possible, because this is the only way to write.
 *
 * What begins a transaction is sent with its first statement, and COMMIT with its last ones (`TenantDatabase.send`): should
 * one of those fail, the server takes COMMIT for ROLLBACK.
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
      const client = (await runner.connect()) as TenantClient;
      const transaction: ActiveTransaction = { manager: runner.manager, runner, client, failure: undefined };
      return await runInScope({ ...scope, transaction }, () => run(client, transaction, work));
    } finally {
      await runner.release();
    }
  }

  get active(): boolean {
    return currentScope().transaction !== undefined;
  }
}

async function run<T>(
  client: TenantClient,
  transaction: ActiveTransaction,
  work: () => Promise<T>,
): Promise<T> {
  begin(client, transaction);
  try {
    const result = await work();
    const committed: Promise<pg.QueryResult> = client.query('COMMIT');
    const { command } = await committed;
    // Where not even START was done, COMMIT ends nothing and succeeds.
    if (transaction.failure) throw transaction.failure;
    if (command !== 'COMMIT') throw new Error('A statement failed, and the transaction with it.');
    return result;
  } catch (error) {
    // A connection that cannot even roll back is closed by the pool's own error handling; the first error counts.
    if (!client.idle) await (client.query('ROLLBACK') as Promise<unknown>).catch(() => undefined);
    throw (error as { code?: unknown }).code === FAILED_BEFORE ? (transaction.failure ?? error) : error;
  } finally {
    noted(transaction.runner, 0);
  }
}

function begin(client: TenantClient, transaction: ActiveTransaction): void {
  noted(transaction.runner, 1);
  // Not as a promise, which would be told after those whose statements failed for this very reason.
  client.query('START TRANSACTION', (error: Error | null) => {
    if (error) transaction.failure ??= error;
  });
}

/** What TypeORM keeps of a transaction: within one it begins none of its own. */
function noted(runner: QueryRunner, transactionDepth: 0 | 1): void {
  Object.assign(runner, { isTransactionActive: transactionDepth > 0, transactionDepth });
}
