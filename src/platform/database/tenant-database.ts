import { Injectable } from '@nestjs/common';
import type pg from 'pg';
import type { EntityManager, EntityTarget, ObjectLiteral, Repository } from 'typeorm';
import { Cells } from './cells.js';
import { tenantId, type TenantId, type TenantRef } from './tenant-id.js';
import type { TenantPool } from './tenant-pool.js';
import { currentScope, runInScope, type TenantStatement } from './tenant-scope.js';

/** One SQL statement. With a `name` it is prepared once per connection and tenant: for reads on a hot path. */
export interface Statement {
  readonly name?: string;
  readonly text: string;
  readonly values: readonly unknown[];
}

/**
 * The only way to a tenant's rows. What is read or written runs under that tenant's own PostgreSQL role; outside a
 * transaction it is read-only. To write, use `UnitOfWork` (src/audit), which commits the change with its event.
 */
@Injectable()
export class TenantDatabase {
  constructor(private readonly cells: Cells) {}

  /** Puts a tenant in scope for everything that `work` calls. A transaction of an outer scope is not carried over. */
  within<T>(tenant: TenantRef, work: () => T): T {
    return runInScope({ tenant: tenantId(tenant.id), region: tenant.region, cell: tenant.cell }, work);
  }

  /** TypeORM's manager: the running transaction's, else one whose every statement is a read of its own. */
  get manager(): EntityManager {
    const scope = currentScope();
    return scope.transaction?.manager ?? this.cells.of(scope.cell).tenants.manager;
  }

  repository<Entity extends ObjectLiteral>(entity: EntityTarget<Entity>): Repository<Entity> {
    return this.manager.getRepository(entity);
  }

  async query<Row extends pg.QueryResultRow>(statement: Statement): Promise<Row[]> {
    const { rows } = await this.execute<Row>(statement);
    return rows;
  }

  /** As `query`, with the number of rows touched. */
  async execute<Row extends pg.QueryResultRow>(statement: Statement): Promise<pg.QueryResult<Row>> {
    const scope = currentScope();
    const meant = meantFor(scope.tenant, statement);
    if (scope.transaction) return scope.transaction.client.query(meant);
    if (statement.name !== undefined) return this.cells.of(scope.cell).reads.query<Row>(scope.tenant, meant);
    // TypeORM's own pool; it declares `driver` by its common interface only.
    const pool = (this.cells.of(scope.cell).tenants.driver as unknown as { master: TenantPool }).master;
    return pool.query<Row>(meant);
  }

  /**
   * A statement of the running transaction whose answer nobody needs. It goes along with the next one, or with COMMIT; where
   * it fails, so does the transaction.
   */
  send(statement: Statement): void {
    const { tenant, transaction } = currentScope();
    if (!transaction) throw new Error('Only in a unit of work may nobody wait for an answer.');
    transaction.client.send(meantFor(tenant, statement), (error) => (transaction.failure ??= error));
  }

  /** The running transaction, for what is known as long as it lasts; undefined outside of any. */
  get transaction(): object | undefined {
    return currentScope().transaction;
  }
}

function meantFor(tenant: TenantId, { name, text, values }: Statement): TenantStatement {
  return { name, text, values: values as unknown[], tenant };
}
