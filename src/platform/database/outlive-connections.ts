import type pg from 'pg';

/**
 * While a connection is lent out, pg's pool does not listen for its errors, and one that nobody listens for ends the
 * process. Whoever borrowed it is told by the statement that fails.
 */
export function outliveConnections(pool: pg.Pool): void {
  pool.on('connect', (client) => client.on('error', () => undefined));
}
