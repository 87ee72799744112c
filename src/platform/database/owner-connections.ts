import pg from 'pg';
import { ownerConnection } from './database-tls.js';
import { outliveConnections } from './outlive-connections.js';

/** Idle connections of the owner are closed soon: it is a superuser, and needed rarely. */
const IDLE_MS = 10_000;
/** Nothing waits longer for a lock than this; migrations of tenants set less. */
const LOCK_TIMEOUT_MS = 30_000;

/** A few connections to one database as its owner, opened when they are needed. */
export class OwnerConnections {
  readonly #pool: pg.Pool;

  constructor(url: string, max: number) {
    this.#pool = new pg.Pool({
      ...ownerConnection(url),
      max,
      application_name: 'waxell-owner',
      connectionTimeoutMillis: 5_000,
      idleTimeoutMillis: IDLE_MS,
      allowExitOnIdle: true,
      lock_timeout: LOCK_TIMEOUT_MS,
      keepAlive: true,
    });
    this.#pool.on('error', () => undefined);
    outliveConnections(this.#pool);
  }

  /** Lends a connection. One whose work failed is closed, and with it whatever it had begun or locked. */
  async use<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    let failed = true;
    try {
      const result = await work(client);
      failed = false;
      return result;
    } finally {
      client.release(failed);
    }
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}

/**
 * Sends statements in one message and answers the result of each. A failure ends the message there: what follows is not
 * run, and a transaction that was begun stays open, aborted.
 */
export async function sendTogether(
  client: pg.ClientBase,
  statements: readonly string[],
): Promise<pg.QueryResult[]> {
  // The line break ends a comment that a statement may end with.
  const results: pg.QueryResult | pg.QueryResult[] = await client.query(statements.join('\n;\n'));
  return Array.isArray(results) ? results : [results];
}
