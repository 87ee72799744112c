import { AsyncLocalStorage } from 'node:async_hooks';
import type pg from 'pg';
import type { EntityManager, QueryRunner } from 'typeorm';
import type { TenantId, TenantRef } from './tenant-id.js';

/** A statement of a tenant's, by its name where it has one. */
export interface TenantStatement {
  readonly name?: string | undefined;
  readonly text: string;
  readonly values?: unknown[] | undefined;
  /** Whose it is: it is refused where another tenant is in scope. */
  readonly tenant?: TenantId;
}

/** What of a `TenantClient` a transaction's statements go through. */
interface TransactionClient {
  query<Row extends pg.QueryResultRow>(statement: TenantStatement): Promise<pg.QueryResult<Row>>;
  send(statement: TenantStatement, failed: (error: Error) => void): void;
}

/** The transaction that a scope is in. It belongs to one tenant and to one call chain. */
export interface ActiveTransaction {
  readonly manager: EntityManager;
  readonly runner: QueryRunner;
  readonly client: TransactionClient;
  /** The first failure of what was sent without waiting for its answer. */
  failure: Error | undefined;
}

/** Under which tenant, and in which cell's database, the current call chain works. */
export interface TenantScope {
  readonly tenant: TenantId;
  readonly region: string;
  readonly cell: string;
  readonly transaction?: ActiveTransaction;
}

/** The driver's own start-up queries; no feature can enter it. */
export const STARTUP = Symbol('database start-up');

const storage = new AsyncLocalStorage<TenantScope | typeof STARTUP>();

export class TenantMissing extends Error {
  override readonly name = 'TenantMissing';
  constructor() {
    super('No tenant in scope: a statement on a tenant database must run inside TenantDatabase.within().');
  }
}

/** The tenant in scope. Throws outside any scope. */
export function currentScope(): TenantScope {
  const scope = storage.getStore();
  if (scope === undefined || scope === STARTUP) throw new TenantMissing();
  return scope;
}

/** The tenant that a statement sent now runs as; `STARTUP` for the driver's own. Throws outside any scope. */
export function statementTenant(): TenantScope | typeof STARTUP {
  const scope = storage.getStore();
  if (scope === undefined) throw new TenantMissing();
  return scope;
}

export function runInScope<T>(scope: TenantScope | typeof STARTUP, work: () => T): T {
  return storage.run(scope, work);
}

/** The tenant in scope, as a reference that travels. Throws outside any scope. */
export function currentTenant(): TenantRef {
  const { tenant, region, cell } = currentScope();
  return { id: tenant, region, cell };
}

/** The id of the tenant in scope; undefined outside any, as before there is one. */
export function tenantInScope(): TenantId | undefined {
  const scope = storage.getStore();
  return scope === undefined || scope === STARTUP ? undefined : scope.tenant;
}
