import { AsyncResource } from 'node:async_hooks';
import pg from 'pg';
import { TenantClient, type TenantClientConfig } from './tenant-client.js';

type CheckedOut = (error: Error | undefined, client: pg.PoolClient | undefined, done: Release) => void;

type Release = (failure?: unknown) => void;

/**
 * A pool of tenant connections, which takes a worn one out when it is given back. A waiting caller is served from within whatever call chain gives a connection back, and
 * that chain may belong to another tenant: the callback is bound to the caller's own, or its statement would run under
 * the other tenant's role.
 */
export class TenantPool extends pg.Pool {
  constructor(config: pg.PoolConfig & TenantClientConfig) {
    super({ ...config, Client: TenantClient });
    outliveConnections(this);
  }

  override connect(): Promise<pg.PoolClient>;
  override connect(callback: CheckedOut): void;
  override connect(callback?: CheckedOut): Promise<pg.PoolClient> | void {
    if (callback) return super.connect(AsyncResource.bind(replacingWorn(callback)));
    return new Promise((resolve, reject) => {
      this.connect((error, client) => (client ? resolve(client) : reject(error)));
    });
  }
}

/**
 * Hands the connection out with a way back that closes it if it is worn: the next caller gets a new one. pg's pool also
 * closes one whose statement failed; a refused statement has left nothing behind, and whoever can make statements fail
 * must not be able to make everybody connect anew.
 */
function replacingWorn(callback: CheckedOut): CheckedOut {
  return (error, client, done) => {
    if (!(client instanceof TenantClient)) return callback(error, client, done);
    const giveBack = client.release.bind(client) as Release;
    const release: Release = (failure) =>
      giveBack(isRefusal(failure) ? client.worn : (failure ?? client.worn));
    client.release = release;
    callback(error, client, release);
  };
}

/** The server's word on one statement, after which the connection goes on; FATAL is its word on the connection. */
function isRefusal(failure: unknown): boolean {
  return failure instanceof pg.DatabaseError && failure.severity === 'ERROR';
}

/**
 * While a connection is lent out, the pool does not listen for its errors, and one that nobody listens for ends the
 * process. Whoever borrowed it is told by the statement that fails.
 */
export function outliveConnections(pool: pg.Pool): void {
  pool.on('connect', (client) => client.on('error', () => undefined));
}
