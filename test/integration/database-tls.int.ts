import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { PgBossQueue } from '@waxell/infra';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CELL_MIGRATIONS, TENANT_MIGRATIONS } from '../../src/migrations/index.js';
import {
  Cell,
  Cells,
  connectionOf,
  databaseCertificates,
  Feed,
  loginRole,
  LOGINS,
  Provisioning,
  tenantId,
  TenantDatabase,
  type Login,
} from '../../src/platform/database/index.js';
import { Log } from '../../src/platform/observability/log.js';
import { place, TestAuthority } from '../support/certificates.js';
import { eventually } from '../support/eventually.js';
import { startTlsPostgres, type TlsPostgres } from '../support/tls-postgres.js';

const SECRET = 'transport '.repeat(4);
const TENANTS = [tenantId('t_00000000000000a1'), tenantId('t_00000000000000a2')];

let authority: TestAuthority;
let postgres: TlsPostgres;

beforeAll(async () => {
  authority = await TestAuthority.create();
  postgres = await startTlsPostgres(authority);
  await provisioningOf(cellsOf()).migrate();
});
afterAll(() => postgres.stop());

const urlWith: TlsPostgres['urlWith'] = (parameters) => postgres.urlWith(parameters);
const file = (name: string): string => join(postgres.certificates, name);

function cellsOf(url = urlWith()): Cells {
  const config = { name: 'eu-test-1-c1', region: 'eu-test-1', capacity: 10, ownerUrl: url };
  const pools = { tenant: 2, lane: 2, control: 2, audit: 2 };
  return new Cells([new Cell(config, SECRET, pools, [], () => undefined)]);
}

function provisioningOf(cells: Cells): Provisioning {
  return new Provisioning(cells, SECRET, { cell: CELL_MIGRATIONS, tenant: TENANT_MIGRATIONS });
}

/** Serial number and common name of the certificate with which a connection was made, as the server tells them. */
async function presented(
  client: pg.Client | pg.Pool,
): Promise<{ version: string; cn: string; serial: string }> {
  const asked = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  // No login of the running system may look at sessions.
  const observer = new pg.Client(await asOwner());
  await observer.connect();
  const { rows } = await observer.query<{ version: string; cn: string; serial: string }>(
    `SELECT version, substring(client_dn from 'CN=([^/,]+)') AS cn, client_serial::text AS serial
     FROM pg_stat_ssl WHERE pid = $1`,
    [asked.rows[0]?.pid],
  );
  await observer.end();
  const [row] = rows;
  if (!row) throw new Error('The connection has no TLS.');
  return row;
}

async function connectAs(login: Login, url = urlWith()): Promise<pg.Client> {
  const client = new pg.Client(connectionOf(url, SECRET, login));
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

describe('a database that demands TLS and a certificate from everyone', () => {
  it('serves every kind of connection, each with the certificate of its own user', async () => {
    const cells = cellsOf();
    const provisioning = provisioningOf(cells);
    await cells.open();
    const feed = new Feed(cells, new Log('silent'));
    await feed.open();
    const queue = queueOf(urlWith());
    try {
      const { home } = cells;
      for (const id of TENANTS) await provisioning.createTenant(home.tenant(id));
      const database = new TenantDatabase(cells);
      for (const id of TENANTS) {
        const rows = await database.within(home.tenant(id), () =>
          database.query<{ role: string }>({ text: 'SELECT current_user AS role', values: [] }),
        );
        expect(rows).toEqual([{ role: id }]);
      }
      const append = await home.appends.get();
      expect(await presented(append)).toMatchObject({ version: 'TLSv1.3', cn: 'waxell_audit' });
      expect(await presented(home.control)).toMatchObject({ cn: 'waxell_control' });
      expect(await presented(home.audit)).toMatchObject({ cn: 'waxell_audit' });
      expect(feed.reliable()).toBe(true);
      expect(await queue.healthy()).toBe(true);
      const observer = new pg.Client(await asOwner());
      await observer.connect();
      const { rows } = await observer.query<{ name: string }>(
        `SELECT DISTINCT application_name AS name FROM pg_stat_activity JOIN pg_stat_ssl USING (pid)
         WHERE ssl AND application_name LIKE 'waxell-%' AND application_name <> 'waxell-owner' ORDER BY 1`,
      );
      await observer.end();
      expect(rows.map(({ name }) => name)).toEqual(
        [...LOGINS, 'feed'].map((login) => `waxell-${login}`).sort(),
      );
    } finally {
      await queue.close();
      await feed.onApplicationShutdown();
      await cells.close();
    }
  });

  it('refuses a login without TLS, without a certificate, or with that of another user', async () => {
    const none = { sslrootcert: undefined, sslcert: undefined, sslkey: undefined };
    const connecting = (parameters: Parameters<typeof urlWith>[0]): Promise<unknown> =>
      connectAs('app', urlWith(parameters));
    await expect(connecting({ ...none, sslmode: 'disable' })).rejects.toThrow('no encryption');
    await expect(connecting({ sslcert: undefined, sslkey: undefined })).rejects.toThrow(
      'connection requires a valid client certificate',
    );
    // The password is right: it is the certificate, which PostgreSQL tells its own log alone.
    const [sslcert, sslkey] = [file('waxell_audit.crt'), file('waxell_audit.key')];
    await expect(connecting({ sslcert, sslkey })).rejects.toThrow('authentication failed');
    await (await connectAs('app')).end();
  });

  it('refuses a certificate of another authority', async () => {
    const stranger = await (
      await TestAuthority.create()
    ).issue({ commonName: 'waxell_app', usage: 'client' });
    await place(postgres.certificates, { 'stranger.crt': stranger.cert, 'stranger.key': stranger.key });
    const url = urlWith({ sslcert: file('stranger.crt'), sslkey: file('stranger.key') });
    await expect(connectAs('app', url)).rejects.toThrow(/alert|unknown ca|ECONNRESET|terminated/);
  });
});

describe('the server’s own certificate', () => {
  it.each(['verify-full', 'verify-ca', 'require', 'prefer', 'allow', undefined])(
    'has to be of an authority that we believe, with sslmode %s',
    async (sslmode) => {
      await place(postgres.certificates, { 'other.crt': (await TestAuthority.create()).ca });
      const url = urlWith({ sslmode, sslrootcert: file('other.crt') });
      await expect(connectAs('app', url)).rejects.toThrow(/certificate|signature/);
      await expect(provisioningOf(cellsOf(url)).requireCurrent(false)).rejects.toThrow(
        /certificate|signature/,
      );
    },
  );

  it('has to be that of the host which the URL names', async () => {
    const url = new URL(urlWith());
    // It listens there, but its certificate says localhost.
    url.hostname = '127.0.0.1';
    await expect(connectAs('app', url.href)).rejects.toThrow(/not in the cert|altnames/);
  });
});

describe('a certificate that is replaced', () => {
  it('is presented by new connections, without a restart; those that are open go on', async () => {
    const cells = cellsOf();
    await cells.open();
    try {
      const { control } = cells.home;
      const open = await control.connect();
      const before = await presented(open);
      await postgres.issue('waxell_control');
      const next = await control.connect();
      const after = await presented(next);
      expect({ cn: after.cn, same: after.serial === before.serial }).toEqual({
        cn: 'waxell_control',
        same: false,
      });
      expect(await presented(open)).toEqual(before);
      open.release();
      next.release();
    } finally {
      await cells.close();
    }
  });

  it('is not presented while it is half written: new connections have the old one', async () => {
    const cells = cellsOf();
    await cells.open();
    try {
      const { control } = cells.home;
      const open = await control.connect();
      const before = await presented(open);
      const whole = await readFile(file('waxell_control.crt'), 'utf8');
      await place(postgres.certificates, { 'waxell_control.crt': whole.slice(0, 100) });
      const next = await control.connect();
      expect(await presented(next)).toEqual(before);
      await place(postgres.certificates, { 'waxell_control.crt': whole });
      open.release();
      next.release();
    } finally {
      await cells.close();
    }
  });

  it('is presented by the feed and the queue when they connect again', async () => {
    const cells = cellsOf();
    const feed = new Feed(cells, new Log('silent'));
    await feed.open();
    const queue = queueOf(urlWith());
    expect(await queue.healthy()).toBe(true);
    const superuser = new pg.Client(await asOwner());
    superuser.on('error', () => undefined);
    await superuser.connect();
    const serials = async (): Promise<string[]> => {
      const { rows } = await superuser.query<{ serial: string }>(
        `SELECT client_serial::text AS serial FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
         WHERE application_name = 'waxell-queue'`,
      );
      return rows.map(({ serial }) => serial);
    };
    // Before there is another: whatever connects from then on may have that.
    const before = await serials();
    await postgres.issue('waxell_queue');
    await superuser.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'waxell-%'`,
    );
    await eventually(async () => {
      // One that was connecting while the certificate was replaced was in no list of them then.
      await superuser.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
         WHERE application_name = 'waxell-queue' AND client_serial::text = ANY ($1)`,
        [before],
      );
      expect(await queue.healthy()).toBe(true);
      const after = await serials();
      expect(after.length).toBeGreaterThan(0);
      expect(after.filter((serial) => before.includes(serial))).toEqual([]);
      expect(feed.reliable()).toBe(true);
    }, 30_000);
    await superuser.end();
    await queue.close();
    await feed.onApplicationShutdown();
    await cells.close();
  });
});

describe('what the URL says', () => {
  it.each([
    ['sslcert without sslkey', { sslkey: undefined }, 'sslcert and sslkey come together'],
    ['a mode that is none', { sslmode: 'canary' }, 'sslmode has to be one of'],
    ['files with sslmode=disable', { sslmode: 'disable' }, 'sslmode=disable contradicts'],
    ['parameters that are not known', { sslcrl: 'canary' }, 'sslcrl is not known'],
    ['ssl instead of sslmode', { ssl: 'true' }, 'ssl is not known'],
    [
      'a file that is not there',
      { sslrootcert: '/canary' },
      'sslrootcert of the database URL: the file cannot be read',
    ],
  ])('is refused before anything connects, without its value: %s', (_what, parameters, message) => {
    const attempt = (): unknown => connectionOf(urlWith(parameters), SECRET, 'app');
    expect(attempt).toThrow(message);
    expect(attempt).not.toThrow(/canary/);
  });

  it('names the certificates that are in use: one for all, or one for each user', () => {
    const users = ['postgres', ...LOGINS.map(loginRole)];
    const names = (url: string): string[] =>
      databaseCertificates(new URL(url), 'c1', users).map(({ name }) => name);
    expect(names(urlWith())).toEqual(users.map((user) => `database client c1 ${user}`));
    const one = { sslcert: file('postgres.crt'), sslkey: file('postgres.key') };
    expect(names(urlWith(one))).toEqual(['database client c1']);
    expect(names(urlWith({ sslcert: undefined, sslkey: undefined }))).toEqual([]);
  });
});

function queueOf(url: string): PgBossQueue {
  const { host, port, user, password, database, ssl } = connectionOf(url, SECRET, 'queue');
  return new PgBossQueue({
    connection: {
      host: host ?? '',
      port: port ?? 0,
      user: user ?? '',
      password: String(password),
      database: database ?? '',
      ssl,
    },
    schema: 'queue',
    onError: () => undefined,
  });
}

/** With options of its own making: the test looks in, whatever our connections do. */
async function asOwner(): Promise<pg.ClientConfig> {
  const [ca, cert, key] = await Promise.all(
    ['ca.crt', 'postgres.crt', 'postgres.key'].map((name) => readFile(file(name), 'utf8')),
  );
  return { connectionString: postgres.url.href, ssl: { ca, cert, key } };
}
