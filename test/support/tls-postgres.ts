import { chmod, chown, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '@waxell/infra';
import { Client } from 'pg';
import { LOGINS, loginRole } from '../../src/platform/database/logins.js';
import { place, type KeyPair, type TestAuthority } from './certificates.js';

/** Everyone needs a password, and a certificate whose common name is the user's. Nobody gets in without TLS. */
const ACCESS = 'hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-full\n';

export interface TlsPostgres {
  /** The owner's URL without its parameters. */
  readonly url: URL;
  /** Folder with ca.crt and, for each user, USER.crt and USER.key. */
  readonly certificates: string;
  /** Gives a user a certificate with this common name. */
  issue(user: string, commonName?: string): Promise<KeyPair>;
  stop(): Promise<void>;
}

/** A real PostgreSQL that speaks TLS only and demands a certificate of the authority from everyone. */
export async function startTlsPostgres(authority: TestAuthority): Promise<TlsPostgres> {
  const root = await mkdtemp(join(tmpdir(), 'waxell-tls-postgres-'));
  await chmod(root, 0o711);
  const home = join(root, 'home');
  const postgres = await startEmbeddedPostgres({ home, onLog: () => undefined });
  const { user, password, port } = postgres.connection;
  const certificates = join(root, 'certificates');
  const issue = async (name: string, commonName = name): Promise<KeyPair> => {
    const pair = await authority.issue({ commonName, usage: 'client' });
    await place(certificates, { [`${name}.crt`]: pair.cert, [`${name}.key`]: pair.key });
    return pair;
  };
  await place(certificates, { 'ca.crt': authority.ca });
  for (const name of [user, ...LOGINS.map(loginRole)]) await issue(name);
  await demandTls(join(home, 'postgres'), authority, new Client(postgres.connection));
  return {
    url: new URL(`postgres://${user}:${encodeURIComponent(password)}@localhost:${port}/postgres`),
    certificates,
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
