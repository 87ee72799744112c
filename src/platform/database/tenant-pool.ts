import { EventEmitter } from 'node:events';
import pg from 'pg';
import { TenantClient, type TenantClientConfig } from './tenant-client.js';
import { placeOf } from './tenant-place.js';
import {
  runInScope,
  statementTenant,
  STARTUP,
  type TenantScope,
  type TenantStatement,
} from './tenant-scope.js';

/** Gives a connection back; with an error, as one that may be of no more use. */
type Release = (failure?: unknown) => void;
type CheckedOut = (error: Error | undefined, client: TenantClient | undefined, done: Release) => void;

export interface TenantPoolConfig extends TenantClientConfig {
  /** Connections at most. */
  readonly max: number;
}

/** Room for one connection. */
interface Slot {
  client: TenantClient | undefined;
  state: 'empty' | 'opening' | 'idle' | 'lent';
}

interface Waiter {
  readonly scope: TenantScope | typeof STARTUP;
  /** Where its tenant's two connections begin. */
  readonly place: number;
  readonly since: number;
  readonly callback: CheckedOut;
  readonly timeout: NodeJS.Timeout;
}

/** A caller that has waited longer takes whichever connection is free next, its tenant's own or not. */
const PATIENCE_MS = 100;
/** How far down the queue a freed connection looks for a caller of one of its own tenants. */
const LOOK_AHEAD = 64;

/**
 * A pool of tenant connections, with the face of pg's own that TypeORM expects. A tenant has two of the connections,
 * which serve it as long as one of them is free, so that its tables' descriptions and plans are held twice and not in
 * every backend; but nobody waits while any connection is idle.
 *
 * A waiting caller is served from within whatever call chain gives a connection back, and that chain may belong to
 * another tenant: its callback runs in its own scope, or its statement would run under the other tenant's role.
 */
export class TenantPool extends EventEmitter<{ error: [Error] }> {
  readonly #config: TenantPoolConfig;
  readonly #slots: Slot[];
  readonly #waiting: Waiter[] = [];
  #ended: PromiseWithResolvers<void> | undefined;

  constructor(config: TenantPoolConfig) {
    super();
    this.#config = config;
    this.#slots = Array.from({ length: config.max }, () => ({ client: undefined, state: 'empty' }));
  }

  /** Lends a connection to the tenant in scope. Throws outside any scope. */
  connect(callback: CheckedOut): void {
    const scope = statementTenant();
    const place = scope === STARTUP ? 0 : placeOf(scope.tenant, this.#slots.length);
    if (this.#ended) return callback(new Error('The pool is closed.'), undefined, () => undefined);
    const slot = this.#free(place);
    if (slot) return this.#lend(slot, scope, callback);
    const waiter: Waiter = {
      scope,
      place,
      since: performance.now(),
      callback,
      timeout: setTimeout(
        () => this.#refuse(waiter, 'timeout exceeded when trying to connect'),
        this.#config.connectionTimeoutMillis ?? 5_000,
      ),
    };
    this.#waiting.push(waiter);
  }

  /** One statement on a connection that is lent for it. */
  query<Row extends pg.QueryResultRow>(statement: TenantStatement): Promise<pg.QueryResult<Row>> {
    return new Promise((resolve, reject) => {
      this.connect((failure, client, release) => {
        if (!client) return reject(failure);
        client.query(statement, (error: Error | null, result: pg.QueryResult<Row>) => {
          release(error ?? undefined);
          if (error) reject(error);
          else resolve(result);
        });
      });
    });
  }

  /** Closes what is idle at once and what is lent when it comes back. Who waits is refused. */
  end(callback?: (error?: Error) => void): Promise<void> {
    this.#ended ??= Promise.withResolvers();
    // Refusing takes a waiter out of the list that is walked.
    for (const waiter of Array.from(this.#waiting)) this.#refuse(waiter, 'The pool is closed.');
    for (const slot of this.#slots) if (slot.state === 'idle') this.#close(slot);
    this.#settle();
    if (callback) void this.#ended.promise.then(() => callback());
    return this.#ended.promise;
  }

  /** Runs a caller's callback in the caller's scope, whoever's call chain this is. */
  protected inScope(scope: TenantScope | typeof STARTUP, callback: () => void): void {
    runInScope(scope, callback);
  }

  #free(place: number): Slot | undefined {
    const own = [this.#slots[place], this.#slots[(place + 1) % this.#slots.length]];
    return (
      own.find((slot) => slot?.state === 'idle') ??
      own.find((slot) => slot?.state === 'empty') ??
      this.#slots.find(({ state }) => state === 'idle') ??
      this.#slots.find(({ state }) => state === 'empty')
    );
  }

  #lend(slot: Slot, scope: Waiter['scope'], callback: CheckedOut): void {
    const { client } = slot;
    if (!client) return this.#open(slot, scope, callback);
    slot.state = 'lent';
    let returned = false;
    const release: Release = (failure) => {
      if (returned) throw new Error('The connection was given back already.');
      returned = true;
      this.#takeBack(slot, client, failure);
    };
    this.inScope(scope, () => callback(undefined, client, release));
  }

  #open(slot: Slot, scope: Waiter['scope'], callback: CheckedOut): void {
    slot.state = 'opening';
    const client = new TenantClient(this.#config);
    // Whoever has borrowed it is told by the statement that fails.
    client.on('error', (error) => {
      if (slot.client !== client || slot.state !== 'idle') return;
      this.#close(slot);
      if (!this.#ended) this.emit('error', error);
    });
    client.connect((error?: Error | null) => {
      slot.client = error ? undefined : client;
      slot.state = error ? 'empty' : 'idle';
      if (!error) return this.#lend(slot, scope, callback);
      callback(error, undefined, () => undefined);
      this.#serve(slot);
    });
  }

  #takeBack(slot: Slot, client: TenantClient, failure: unknown): void {
    slot.state = 'idle';
    const useless = failure !== undefined && !isRefusal(failure);
    if (useless || !client.reusable || this.#ended) this.#close(slot);
    this.#serve(slot);
  }

  #close(slot: Slot): void {
    const { client } = slot;
    slot.client = undefined;
    slot.state = 'empty';
    client?.end().catch(() => undefined);
    this.#settle();
  }

  /** Gives a free slot to who waits. */
  #serve(slot: Slot): void {
    const [next] = this.#ended ? [] : this.#waiting.splice(this.#turnOf(this.#slots.indexOf(slot)), 1);
    if (!next) return this.#settle();
    clearTimeout(next.timeout);
    this.#lend(slot, next.scope, next.callback);
  }

  /** Whose turn it is: the first caller for a tenant of this connection, unless the first of all has waited for long. */
  #turnOf(connection: number): number {
    const [head] = this.#waiting;
    if (!head || performance.now() - head.since > PATIENCE_MS) return 0;
    const before = (connection + this.#slots.length - 1) % this.#slots.length;
    const end = Math.min(this.#waiting.length, LOOK_AHEAD);
    for (let at = 0; at < end; at += 1) {
      const place = this.#waiting[at]?.place;
      if (place === connection || place === before) return at;
    }
    return 0;
  }

  #refuse(waiter: Waiter, why: string): void {
    const at = this.#waiting.indexOf(waiter);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    clearTimeout(waiter.timeout);
    waiter.callback(new Error(why), undefined, () => undefined);
  }

  #settle(): void {
    if (this.#slots.every(({ state }) => state === 'empty')) this.#ended?.resolve();
  }
}

/**
 * The server's word on one statement, after which the connection goes on (FATAL is its word on the connection). Whoever
 * can make statements fail must not be able to make everybody connect anew.
 */
function isRefusal(failure: unknown): boolean {
  return failure instanceof pg.DatabaseError && failure.severity === 'ERROR';
}
