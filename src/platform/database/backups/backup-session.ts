import pg from 'pg';
import type { Cell } from '../cells.js';
import { ownerConnection } from '../database-tls.js';

const HOURS = 6 * 3_600_000;

/**
 * A connection of the owner for as long as a backup or its restoration takes: a table is one statement, whatever its
 * size. One that hangs ends after hours, with what it is part of.
 */
export async function withBackupSession<T>(
  { ownerUrl }: Pick<Cell, 'ownerUrl'>,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = await openBackupSession({ ownerUrl });
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

export async function openBackupSession({ ownerUrl }: Pick<Cell, 'ownerUrl'>): Promise<pg.Client> {
  const client = new pg.Client({
    ...ownerConnection(ownerUrl),
    application_name: 'waxell-backup',
    connectionTimeoutMillis: 5_000,
    lock_timeout: 30_000,
    statement_timeout: HOURS,
    idle_in_transaction_session_timeout: HOURS,
    keepAlive: true,
  });
  // Without a listener a lost connection would end the process; the statement at work fails with it and is enough.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}
