import pg from 'pg';
import type { Cell } from './cells.js';
import { ownerConnection } from './database-tls.js';

/** Lends a connection of its own as the owner of a cell's database; with it end the locks and whatever was begun. */
export async function asOwner<T>(
  { ownerUrl }: Pick<Cell, 'ownerUrl'>,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({
    ...ownerConnection(ownerUrl),
    application_name: 'waxell-owner',
    connectionTimeoutMillis: 5_000,
    lock_timeout: 30_000,
    statement_timeout: 120_000,
  });
  // Without a listener a lost connection would end the process; the statement at work fails with it and is enough.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
