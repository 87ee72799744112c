import { AsyncResource } from 'node:async_hooks';
import pg from 'pg';
import { TenantClient } from './tenant-client.js';

type CheckedOut = (
  error: Error | undefined,
  client: pg.PoolClient | undefined,
  done: (release?: unknown) => void,
) => void;

/**
 * A pool of tenant connections. A waiting caller is served from within whatever call chain gives a connection back, and
 * that chain may belong to another tenant: the callback is bound to the caller's own, or its statement would run under
 * the other tenant's role.
 */
export class TenantPool extends pg.Pool {
  constructor(config: pg.PoolConfig) {
    super({ ...config, Client: TenantClient });
    outliveConnections(this);
  }

  override connect(): Promise<pg.PoolClient>;
  override connect(callback: CheckedOut): void;
  override connect(callback?: CheckedOut): Promise<pg.PoolClient> | void {
    return callback ? super.connect(AsyncResource.bind(callback)) : super.connect();
  }
}

/**
 * While a connection is lent out, the pool does not listen for its errors, and one that nobody listens for ends the
 * process. Whoever borrowed it is told by the statement that fails.
 */
export function outliveConnections(pool: pg.Pool): void {
  pool.on('connect', (client) => client.on('error', () => undefined));
}
