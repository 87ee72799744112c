import { chmod, chown, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { LOGINS, loginRole } from '../../src/platform/database/logins.js';
import { place, type KeyPair, type TestAuthority, type Wanted } from './certificates.js';
import { startTestPostgres } from './test-postgres.js';

/** Everyone needs a password, and a certificate whose common name is the user's. Nobody gets in without TLS. */
const ACCESS = 'hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-full\n';

export interface TlsPostgres {
  /** The owner's URL without its parameters. */
  readonly url: URL;
  /** Folder with ca.crt and, for each user, USER.crt and USER.key. */
  readonly certificates: string;
  /** The URL with the certificates, of which each user has one, and what is given instead. */
  urlWith(parameters?: Readonly<Record<string, string | undefined>>): string;
  /** Gives a user a new certificate, by default good for a day. */
  issue(user: string, validity?: Pick<Wanted, 'from' | 'until'>): Promise<KeyPair>;
  stop(): Promise<void>;
}

/** A real PostgreSQL that speaks TLS only and demands a certificate of the authority from everyone. */
export async function startTlsPostgres(authority: TestAuthority): Promise<TlsPostgres> {
  const root = await mkdtemp(join(tmpdir(), 'waxell-tls-postgres-'));
  await chmod(root, 0o711);
  const home = join(root, 'home');
  const postgres = await startTestPostgres(home);
  const { user, password, port } = postgres.connection;
  const certificates = join(root, 'certificates');
  const issue: TlsPostgres['issue'] = async (name, validity = {}) => {
    const pair = await authority.issue({ commonName: name, usage: 'client', ...validity });
    await place(certificates, { [`${name}.crt`]: pair.cert, [`${name}.key`]: pair.key });
    return pair;
  };
  await place(certificates, { 'ca.crt': authority.ca });
  for (const name of [user, ...LOGINS.map(loginRole)]) await issue(name);
  await demandTls(join(home, 'postgres'), authority, new Client(postgres.connection));
  const url = new URL(`postgres://${user}:${encodeURIComponent(password)}@localhost:${port}/postgres`);
  return {
    url,
    certificates,
    urlWith: (parameters = {}) => {
      const full = new URL(url);
      const all = {
        sslmode: 'verify-full',
        sslrootcert: join(certificates, 'ca.crt'),
        sslcert: join(certificates, '{user}.crt'),
        sslkey: join(certificates, '{user}.key'),
        ...parameters,
      };
      for (const [name, value] of Object.entries(all))
        if (value !== undefined) full.searchParams.set(name, value);
      return full.href;
    },
    issue,
    stop: async () => {
      await postgres.stop();
      await rm(root, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    },
  };
}

async function demandTls(data: string, authority: TestAuthority, client: Client): Promise<void> {
  const { uid, gid } = await stat(data);
  const server = await authority.issue({ commonName: 'postgres', usage: 'server', hosts: ['localhost'] });
  const files = { 'server.crt': server.cert, 'server.key': server.key, 'clients.crt': authority.ca };
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(data, name), content, { mode: 0o600 });
    await chown(join(data, name), uid, gid);
  }
  await writeFile(join(data, 'pg_hba.conf'), ACCESS);
  await client.connect();
  await client.query("ALTER SYSTEM SET ssl_ca_file = 'clients.crt'");
  await client.query("ALTER SYSTEM SET ssl_min_protocol_version = 'TLSv1.2'");
  await client.query('ALTER SYSTEM SET ssl = on');
  await client.query('SELECT pg_reload_conf()');
  await client.end();
}
