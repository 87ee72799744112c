import type { Socket } from 'node:net';
import pg from 'pg';
import { BatchedWrites } from './batched-writes.js';
import { ConnectionWear, type WearLimits } from './connection-wear.js';
import { StatementNames } from './statement-names.js';
import { numberOf } from './statement-numbers.js';
import { StatementRefused } from './statement-refused.js';
import { statementTenant, STARTUP, type TenantScope, type TenantStatement } from './tenant-scope.js';
import { tenantId, type TenantId } from './tenant-id.js';
import { ExtendedQuery, TenantQuery, UNNAMED, type WireConnection } from './tenant-query.js';

type Callback = (error: Error | null, result?: pg.QueryResult) => void;

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
  readonly _queryable: boolean;
  readonly _ended: boolean;
  _getActiveQuery(): unknown;
  _handleParseComplete(): void;
}

const BEGIN = /^START TRANSACTION$/i;
const END = /^(COMMIT|ROLLBACK)$/i;
/**
 * The commit itself waits for no disk, so that whoever waits for what the transaction holds, or to announce something,
 * goes on at once; then the session waits until the disk has it, beside all others that do. In one message: a server
 * that crashes in between answers neither.
 */
const COMMIT = 'COMMIT; SELECT work.settle()';
const SAVEPOINT = /^(SAVEPOINT|RELEASE SAVEPOINT|ROLLBACK TO SAVEPOINT) \w+$/i;
/**
 * How a tenant's statement may begin. Whatever else there is (SET, DO, COPY, ...) changes the session or runs code. Not
 * a list of what is forbidden: PostgreSQL nests comments, so a pattern can be led past the word that it looks for.
 */
const STATEMENT = /^[\s(]*(SELECT|INSERT|UPDATE|DELETE|MERGE|WITH|VALUES)\b/i;

/**
 * PostgreSQL's codes for a prepared statement that does not exist (it was sent behind the one that was to parse it, and
 * that one failed before it did) and for one whose result is another since a migration. Nothing was executed.
 */
const PARSE_ANEW: ReadonlySet<unknown> = new Set(['26000', '0A000']);

/**
 * The pg client of the tenant pool: every statement runs under the role of the tenant in scope, or is refused.
 *
 * Outside a transaction a statement is a read in an implicit, read-only transaction of its own (see `TenantQuery`).
 * Inside one, the role was switched by `SET LOCAL ROLE` with the START and ends with the transaction.
 */
export class TenantClient extends pg.Client {
  #transactionTenant: TenantId | undefined;
  /** Why a statement of the running transaction never left this process: the server, which knows nothing of it, would commit. */
  #unsent: Error | undefined;
  readonly #names: StatementNames;
  readonly #wear: ConnectionWear;
  #batches: BatchedWrites | undefined;

  constructor(config: TenantClientConfig = {}) {
    super(config);
    this.#names = new StatementNames(config.namedStatements !== false);
    this.#wear = new ConnectionWear(config.wear);
  }

  /** How a transaction of a tenant begins: in one message with the switch of the role, which ends with it; see `COMMIT`. */
  static start(tenant: TenantId): string {
    return `START TRANSACTION; SET LOCAL ROLE "${tenantId(tenant)}"; SET LOCAL synchronous_commit = off`;
  }

  /** Whether the connection has served long or widely enough to be replaced. */
  get worn(): boolean {
    return this.#wear.worn;
  }

  /** Whether it is in no transaction. */
  get idle(): boolean {
    return this.#transactionTenant === undefined;
  }

  /** Whether it can be lent again: alive, not worn, and without a transaction that nobody ended. */
  get reusable(): boolean {
    const { _queryable, _ended } = this as unknown as ClientInternals;
    return _queryable && !_ended && this.idle && !this.worn && this.#unsent === undefined;
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

  /**
   * Sends a statement of the running transaction whose answer nobody waits for: in one flush with the next, which the server
   * answers after it. `failed` is called if it fails, and then the transaction cannot be committed any more.
   */
  send(statement: TenantStatement, failed: (error: Error) => void): void {
    if (this.#transactionTenant === undefined)
      throw new StatementRefused('Only in a transaction may nobody wait for an answer.');
    this.#submit(statement, undefined, (error) => error && failed(error));
  }

  /** pg's hook; see `TenantQuery.acknowledgesParse`. */
  protected _handleParseComplete(): void {
    const internals = this as unknown as ClientInternals;
    const active = internals._getActiveQuery();
    if (active instanceof TenantQuery && active.acknowledgesParse()) return;
    // pg declares this method on its prototype, without a type.
    (pg.Client.prototype as unknown as ClientInternals)._handleParseComplete.call(this);
  }

  #submit(given: string | TenantStatement, values: unknown[] | undefined, callback: Callback): void {
    const scope = statementTenant();
    const statement: TenantStatement = typeof given === 'string' ? { text: given, values } : given;
    const { tenant: meant } = statement;
    if (meant !== undefined && (scope === STARTUP || scope.tenant !== meant)) {
      throw new StatementRefused('The statement is meant for another tenant than the one in scope.');
    }
    const text = statement.text.trim();
    // In the protocol it ends a string: what follows would be read as another part of the message.
    if (text.includes('\0')) throw new StatementRefused('A statement contains the character NUL.');
    if (scope === STARTUP) return this.#send(new ExtendedQuery(text, statement.values, callback));
    if (BEGIN.test(text)) return this.#begin(scope, callback);
    if (this.#transactionTenant !== undefined) return this.#inTransaction(scope, text, statement, callback);
    refuseSessionStatements(text);
    this.#read(scope.tenant, statement, this.#wear.note(scope.tenant, numberOf(statement.text)), callback);
  }

  #read(tenant: TenantId, statement: TenantStatement, uses: number, callback: Callback, anew = false): void {
    const name = this.#names.of(tenant, statement, uses, anew);
    const answer: Callback = (error, result) => {
      const parseAnew =
        error !== null && !anew && name !== UNNAMED && PARSE_ANEW.has((error as { code?: string }).code);
      if (parseAnew) this.#read(tenant, statement, uses, callback, true);
      else callback(error, result);
    };
    const { text, values } = statement;
    this.#send(new TenantQuery(text, values, answer, name, tenant, this.#names.shapes));
  }

  #begin(scope: TenantScope, callback: Callback): void {
    if (this.#transactionTenant !== undefined)
      throw new StatementRefused('This connection is in a transaction already.');
    const text = TenantClient.start(scope.tenant);
    // Also where it fails, as it may at its second half: then the server is in a transaction that only a ROLLBACK ends.
    this.#transactionTenant = scope.tenant;
    this.#unsent = undefined;
    this.#control(text, callback);
  }

  #inTransaction(scope: TenantScope, text: string, statement: TenantStatement, callback: Callback): void {
    if (scope.tenant !== this.#transactionTenant) {
      throw new StatementRefused(
        'A transaction belongs to the tenant that began it; another tenant is in scope.',
      );
    }
    if (END.test(text)) {
      const commits = /^COMMIT$/i.test(text);
      if (this.#unsent && commits) throw this.#unsent;
      this.#transactionTenant = undefined;
      return this.#control(commits ? COMMIT : text, callback);
    }
    if (SAVEPOINT.test(text)) return this.#control(text, callback);
    refuseSessionStatements(text);
    const uses = this.#wear.note(scope.tenant, numberOf(statement.text));
    const name = this.#names.of(scope.tenant, statement, uses);
    const query = new ExtendedQuery(statement.text, statement.values, callback, name);
    this.#send(query);
    this.#unsent ??= query.unsent;
  }

  #send(query: ExtendedQuery): void {
    const { callback } = query;
    query.callback = this.#batched((error, result) => callback?.(error, result));
    super.query(query as never);
  }

  /** What begins and ends transactions, by the simple protocol: several of them in one message. The first is answered. */
  #control(text: string, callback: Callback): void {
    const answered = this.#batched(callback);
    const first = (error: Error | null, results?: pg.QueryResult | pg.QueryResult[]): void =>
      answered(error, Array.isArray(results) ? results[0] : results);
    void super.query(text, first as never);
  }

  /** Lets what a statement writes go along with what others write in this turn of the event loop. */
  #batched(callback: Callback): Callback {
    const { pipeline, connection } = this as unknown as ClientInternals;
    if (!pipeline) return callback;
    this.#batches ??= new BatchedWrites(connection.stream);
    const answered = this.#batches.begin();
    return (error, result) => {
      answered();
      callback(error, result);
    };
  }
}

function refuseSessionStatements(text: string): void {
  if (STATEMENT.test(text)) return;
  throw new StatementRefused(
    'A tenant connection takes SELECT, INSERT, UPDATE, DELETE, MERGE, WITH and VALUES only.',
  );
}
