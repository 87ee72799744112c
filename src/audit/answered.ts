import type pg from 'pg';

/** Waits for a database, which may be silent as a machine is that has lost its power, for so long; then gives it up. */
export async function answered<T>(work: Promise<T>, within: number, giveUp: () => void): Promise<T> {
  const timer = setTimeout(giveUp, within);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
}

/** One transaction, on a connection that is closed where it is not answered in time. What begins it may be several statements. */
export async function inTransaction<T>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<T>,
  within: number,
  begin = 'BEGIN',
): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  let released = false;
  // Closed while it waits, it fails what waits on it.
  const giveUp = (): void => {
    released = true;
    client.release(new Error('The database does not answer.'));
  };
  try {
    return await answered(inOne(client, work, begin), within, giveUp);
  } catch (error) {
    if (!released) await client.query('ROLLBACK').catch((failure: Error) => (broken = failure));
    throw error;
  } finally {
    if (!released) client.release(broken);
  }
}

async function inOne<T>(
  client: pg.PoolClient,
  work: (client: pg.PoolClient) => Promise<T>,
  begin: string,
): Promise<T> {
  await client.query(begin);
  const result = await work(client);
  await client.query('COMMIT');
  return result;
}
