import type { Socket } from 'node:net';
import pg from 'pg';
import { BatchedWrites } from './batched-writes.js';
import { ConnectionWear, type WearLimits } from './connection-wear.js';
import { statementTenant, STARTUP, type TenantScope } from './tenant-scope.js';
import { tenantId, type TenantId } from './tenant-id.js';
import { ExtendedQuery, TenantQuery, type RowShapes, type WireConnection } from './tenant-query.js';

type Callback = (error: Error | null, result?: pg.QueryResult) => void;

/** A statement that says whose it is: it is refused where another tenant is in scope. */
export interface TenantStatement extends pg.QueryConfig {
  readonly tenant?: TenantId;
}

export interface TenantClientConfig extends pg.ClientConfig {
  /** False behind a pooler that gives each transaction another server connection: then no statement has a name. */
  readonly namedStatements?: boolean;
  /** When the connection is to be replaced; the house's own limits unless said otherwise. */
  readonly wear?: Partial<WearLimits>;
}

/** What pg keeps to itself and this client needs; held against the pinned pg by the driver contract test. */
interface ClientInternals {
  connection: WireConnection & { readonly stream: Socket };
  readonly pipeline: boolean;
  _getActiveQuery(): unknown;
  _handleParseComplete(): void;
}

/** A statement refused before it was sent. */
export class StatementRefused extends Error {
  override readonly name = 'StatementRefused';
}

const BEGIN = /^START TRANSACTION$/i;
const END = /^(COMMIT|ROLLBACK)$/i;
const SAVEPOINT = /^(SAVEPOINT|RELEASE SAVEPOINT|ROLLBACK TO SAVEPOINT) \w+$/i;
/**
 * How a tenant's statement may begin. Whatever else there is (SET, DO, COPY, ...) changes the session or runs code. Not
 * a list of what is forbidden: PostgreSQL nests comments, so a pattern can be led past the word that it looks for.
 */
const STATEMENT = /^[\s(]*(SELECT|INSERT|UPDATE|DELETE|MERGE|WITH|VALUES)\b/i;

/** The server takes the first 63 characters for the name, of which the tenant has 19: two longer ones could be one. */
const NAME = /^\w{1,40}$/;

/** PostgreSQL's code for a prepared statement that does not exist. */
const UNKNOWN_STATEMENT = '26000';

/** A named plan costs 23 KB in the backend (measured); 256 of them 6 MB a connection. */
const NAMED_STATEMENTS = 256;

/**
 * The pg client of the tenant pool: every statement runs under the role of the tenant in scope, or is refused.
 *
 * Outside a transaction a statement is a read in an implicit, read-only transaction of its own (see `TenantQuery`).
 * Inside one, the role was switched by `SET LOCAL ROLE` with the START and ends with the transaction.
 */
export class TenantClient extends pg.Client {
  #transactionTenant: TenantId | undefined;
  readonly #named = new Map<string, true>();
  readonly #shapes: RowShapes | undefined;
  readonly #wear: ConnectionWear;
  #batches: BatchedWrites | undefined;

  constructor(config: TenantClientConfig = {}) {
    super(config);
    this.#shapes = config.namedStatements === false ? undefined : new Map();
    this.#wear = new ConnectionWear(config.wear);
  }

  /** How a transaction of a tenant begins: in one message with the switch of the role, which ends with it. */
  static start(tenant: TenantId): string {
    return `START TRANSACTION; SET LOCAL ROLE "${tenantId(tenant)}"`;
  }

  /** Whether the connection has served long or widely enough to be replaced. */
  get worn(): boolean {
    return this.#wear.worn;
  }

  override query(...args: unknown[]): never {
    const [first, second, third] = args;
    const values = Array.isArray(second) ? (second as unknown[]) : undefined;
    const callback = (typeof second === 'function' ? second : third) as Callback | undefined;
    if (callback) {
      try {
        this.#submit(first as string | TenantStatement, values, callback);
      } catch (error) {
        process.nextTick(callback, error);
      }
      return undefined as never;
    }
    return new Promise((resolve, reject) => {
      this.#submit(first as string | TenantStatement, values, (error, result) =>
        error ? reject(error) : resolve(result),
      );
    }) as never;
  }

  /** pg's hook; see `TenantQuery.acknowledgesParse`. */
  protected _handleParseComplete(): void {
    const internals = this as unknown as ClientInternals;
    const active = internals._getActiveQuery();
    if (active instanceof TenantQuery && active.acknowledgesParse()) return;
    // pg declares this method on its prototype, without a type.
    (pg.Client.prototype as unknown as ClientInternals)._handleParseComplete.call(this);
  }

  #submit(config: string | TenantStatement, values: unknown[] | undefined, callback: Callback): void {
    const scope = statementTenant();
    const meant = typeof config === 'string' ? undefined : config.tenant;
    if (meant !== undefined && (scope === STARTUP || scope.tenant !== meant)) {
      throw new StatementRefused('The statement is meant for another tenant than the one in scope.');
    }
    const text = (typeof config === 'string' ? config : config.text).trim();
    const name = typeof config === 'string' ? undefined : config.name;
    // In the protocol it ends a string: what follows would be read as another part of the message.
    if (text.includes('\0')) throw new StatementRefused('A statement contains the character NUL.');
    if (name !== undefined && !NAME.test(name))
      throw new StatementRefused('A statement is named by up to 40 letters, digits and underscores.');
    if (scope === STARTUP) return this.#send(new ExtendedQuery(config, values, callback));
    if (BEGIN.test(text)) return this.#begin(scope, callback);
    if (this.#transactionTenant !== undefined)
      return this.#inTransaction(scope, text, config, values, callback);
    refuseSessionStatements(text);
    this.#wear.note(scope.tenant, text);
    this.#read(scope.tenant, config, values, callback);
  }

  #read(
    tenant: TenantId,
    config: string | pg.QueryConfig,
    values: unknown[] | undefined,
    callback: Callback,
    again = true,
  ): void {
    const { statement, retired } = this.#perTenantName(config, tenant);
    const answer: Callback = (error, result) => {
      // Sent behind the one that was to parse it, which failed before it did: nothing was executed. Parsed anew, it tells
      // what is wrong with it, or works where the first was merely interrupted.
      if (again && (error as { code?: string } | null)?.code === UNKNOWN_STATEMENT) {
        return this.#read(tenant, config, values, callback, false);
      }
      callback(error, result);
    };
    this.#send(new TenantQuery(statement, values, answer, tenant, retired, this.#shapes));
  }

  #begin(scope: TenantScope, callback: Callback): void {
    if (this.#transactionTenant !== undefined)
      throw new StatementRefused('This connection is in a transaction already.');
    const text = TenantClient.start(scope.tenant);
    this.#transactionTenant = scope.tenant;
    void super.query(text, ((error: Error | null, result?: pg.QueryResult) => {
      if (error) this.#transactionTenant = undefined;
      callback(error, result);
    }) as never);
  }

  #inTransaction(
    scope: TenantScope,
    text: string,
    config: string | pg.QueryConfig,
    values: unknown[] | undefined,
    callback: Callback,
  ): void {
    if (scope.tenant !== this.#transactionTenant) {
      throw new StatementRefused(
        'A transaction belongs to the tenant that began it; another tenant is in scope.',
      );
    }
    if (END.test(text)) {
      this.#transactionTenant = undefined;
      return void super.query(text, callback as never);
    }
    if (SAVEPOINT.test(text)) return void super.query(text, callback as never);
    refuseSessionStatements(text);
    this.#wear.note(scope.tenant, text);
    const { statement, retired } = this.#perTenantName(config, scope.tenant);
    this.#send(new ExtendedQuery(statement, values, callback, retired));
  }

  /**
   * A plan is bound to the tables it was parsed for, and with it to its tenant: the name carries the tenant. Beyond the
   * cap the least recently used statement is closed in the same flush.
   */
  #perTenantName(
    config: string | pg.QueryConfig,
    tenant: TenantId,
  ): { statement: string | pg.QueryConfig; retired: string[] } {
    if (typeof config === 'string' || !config.name) return { statement: config, retired: [] };
    if (!this.#shapes) return { statement: { text: config.text, values: config.values }, retired: [] };
    const name = `${tenant}:${config.name}`;
    const retired: string[] = [];
    this.#named.delete(name);
    if (this.#named.size >= NAMED_STATEMENTS) {
      const oldest = this.#named.keys().next().value;
      if (oldest !== undefined) {
        this.#named.delete(oldest);
        retired.push(oldest);
        this.#shapes.delete(oldest);
      }
    }
    this.#named.set(name, true);
    return { statement: { name, text: config.text, values: config.values }, retired };
  }

  #send(query: ExtendedQuery): void {
    const { pipeline, connection } = this as unknown as ClientInternals;
    if (pipeline) {
      this.#batches ??= new BatchedWrites(connection.stream);
      const answered = this.#batches.begin();
      const { callback } = query;
      query.callback = (error, result) => {
        answered();
        callback?.(error, result);
      };
    }
    super.query(query as never);
  }
}

function refuseSessionStatements(text: string): void {
  if (STATEMENT.test(text)) return;
  throw new StatementRefused(
    'A tenant connection takes SELECT, INSERT, UPDATE, DELETE, MERGE, WITH and VALUES only.',
  );
}
