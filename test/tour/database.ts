import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';

/** The parts of the built application that the tour and the benches look at the database with. */
async function built<T>(path: string): Promise<T> {
  return (await import(new URL(`../../dist/${path}`, import.meta.url).href)) as T;
}
const logins = await built<typeof import('../../src/platform/database/logins.js')>(
  'platform/database/logins.js',
);
const driver = await built<typeof import('../../src/platform/database/tenant-client.js')>(
  'platform/database/tenant-client.js',
);
const scopes = await built<typeof import('../../src/platform/database/tenant-scope.js')>(
  'platform/database/tenant-scope.js',
);
const ids = await built<typeof import('../../src/platform/database/tenant-id.js')>(
  'platform/database/tenant-id.js',
);

export type Row = Record<string, unknown>;

/** The embedded database of a running application, from beside the application. */
export class EmbeddedDatabase {
  readonly ownerUrl: string;
  readonly #region: string;
  readonly #loginSecret: string;

  private constructor(ownerUrl: string, region: string, loginSecret: string) {
    this.ownerUrl = ownerUrl;
    this.#region = region;
    this.#loginSecret = loginSecret;
  }

  static async of(home: string, region = 'us-east-1'): Promise<EmbeddedDatabase> {
    const port = (await readFile(join(home, 'postgres/postmaster.pid'), 'utf8')).split('\n')[3] ?? '';
    const password = (await readFile(join(home, 'postgres-password'), 'utf8')).trim();
    const secret = (await readFile(join(home, 'database-login-secret'), 'utf8')).trim();
    const name = `waxell_${region.replaceAll('-', '_')}`;
    const url = `postgres://postgres:${encodeURIComponent(password)}@127.0.0.1:${port.trim()}/${name}`;
    return new EmbeddedDatabase(url, region, secret);
  }

  /** As the superuser, who may do everything. */
  asSuperuser<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    return connected(new pg.Client(this.ownerUrl), work);
  }

  /** As one of the application's logins, with pg's own client. */
  asLogin<T>(login: (typeof logins.LOGINS)[number], work: (client: pg.Client) => Promise<T>): Promise<T> {
    return connected(new pg.Client(logins.connectionOf(this.ownerUrl, this.#loginSecret, login)), work);
  }

  /** As a tenant: the application's own driver, its login `waxell_app`, and that tenant in scope. */
  asTenant<T>(tenant: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = new driver.TenantClient(logins.connectionOf(this.ownerUrl, this.#loginSecret, 'app'));
    return connected(client, (open) =>
      scopes.runInScope(
        { tenant: ids.tenantId(tenant), region: this.#region, cell: `${this.#region}-c1` },
        () => work(open),
      ),
    );
  }
}

async function connected<T>(client: pg.Client, work: (client: pg.Client) => Promise<T>): Promise<T> {
  // Its end is seen by the statement that it fails.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
