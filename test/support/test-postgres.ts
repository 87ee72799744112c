import { startEmbeddedPostgres, type EmbeddedPostgres, type EmbeddedPostgresOptions } from '@waxell/infra';
import pg from 'pg';

/** Room for what a file's processes may open at their worst: three cells, four processes, 28 for each (see running.md). */
const MAX_CONNECTIONS = 400;

/** A real PostgreSQL for tests, in which processes of several tests may meet. */
export async function startTestPostgres(
  home: string,
  options: Partial<EmbeddedPostgresOptions> = {},
): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({
    home,
    maxConnections: MAX_CONNECTIONS,
    onLog: () => undefined,
    ...options,
  });
  await spareTheDisk(postgres.connection);
  return postgres;
}

/**
 * Takes a commit's wait for the disk from a server, and from what is copied of its folder: a tenth of the time is left
 * (measured). Whoever is killed has handed all that was committed to the kernel; only a machine that fails could tell.
 */
export async function spareTheDisk(connection: pg.ClientConfig): Promise<void> {
  const client = new pg.Client(connection);
  await client.connect();
  try {
    await client.query('ALTER SYSTEM SET fsync = off');
    await client.query('SELECT pg_reload_conf()');
  } finally {
    await client.end();
  }
}
