import pg from 'pg';

/** Makes databases that are not there yet. For the embedded server, whose superuser we are. */
export async function createDatabases(connection: pg.ClientConfig, names: readonly string[]): Promise<void> {
  const client = new pg.Client(connection);
  await client.connect();
  try {
    for (const name of names) {
      const known = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
      if (known.rowCount === 0) await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`);
    }
  } finally {
    await client.end();
  }
}
