import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';

export type Region = 'us-east-1' | 'eu-west-1';
export const REGIONS: readonly Region[] = ['us-east-1', 'eu-west-1'];

/** Process id and port of the embedded server, from the file that PostgreSQL keeps of itself. */
export async function postmaster(home: string): Promise<{ pid: number; port: number }> {
  const lines = (await readFile(join(home, 'postgres', 'postmaster.pid'), 'utf8')).split('\n');
  return { pid: Number(lines[0]), port: Number(lines[3]) };
}

/** The embedded server, as its superuser. */
export async function embeddedServer(home: string): Promise<pg.ClientConfig> {
  const { port } = await postmaster(home);
  const password = (await readFile(join(home, 'postgres-password'), 'utf8')).trim();
  return { host: '127.0.0.1', port, user: 'postgres', password, database: 'postgres' };
}

/** Looks at, or tampers with, a running application's database from outside, as nobody in it can: as superuser. */
export async function asSuperuser<T>(
  home: string,
  region: Region,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const database = `waxell_${region.replaceAll('-', '_')}`;
  const client = new pg.Client({ ...(await embeddedServer(home)), database });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** The variables of a further process beside an embedded one: the same databases, logins and keys. */
export async function besideEmbedded(home: string, redisUrl?: string): Promise<Record<string, string>> {
  const { port } = await postmaster(home);
  const password = encodeURIComponent((await readFile(join(home, 'postgres-password'), 'utf8')).trim());
  const url = (region: Region): string =>
    `postgres://postgres:${password}@127.0.0.1:${port}/waxell_${region.replaceAll('-', '_')}`;
  return {
    DATABASE_URL: url('us-east-1'),
    CELLS: JSON.stringify([
      { name: 'eu-west-1-c1', region: 'eu-west-1', databaseUrl: url('eu-west-1'), redisUrl },
    ]),
    DATABASE_LOGIN_SECRET: (await readFile(join(home, 'database-login-secret'), 'utf8')).trim(),
  };
}
