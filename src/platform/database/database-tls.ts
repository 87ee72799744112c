import type { ClientConfig } from 'pg';
import { ConfigurationError } from '../config/environment.js';
import { clientTls, TlsFiles, tlsPolicy, type ClientTls, type PemFile } from '../tls/index.js';

/** The parameters of a database URL that are about TLS, named as libpq names them. Others of its are refused. */
const PARAMETERS = ['sslmode', 'sslrootcert', 'sslcert', 'sslkey'];
/** libpq's `require` believes any certificate, `prefer` does without one: here each of them means `verify-full`. */
const VERIFYING = ['allow', 'prefer', 'require', 'verify-ca', 'verify-full'];
const MODES = [...VERIFYING, 'no-verify', 'disable'];

export type DatabaseTlsMode = 'verify-full' | 'no-verify' | 'disable';

/** What a database's URL says of TLS. A file in it means TLS, as does every mode but `disable`; without either, none. */
export function databaseTlsMode(url: URL): DatabaseTlsMode {
  const said = [...url.searchParams.keys()].filter(
    (name) => name.startsWith('ssl') || name === 'uselibpqcompat',
  );
  const unknown = said.find((name) => !PARAMETERS.includes(name));
  if (unknown !== undefined) refuse(`${unknown} is not known; ${PARAMETERS.join(', ')} are`);
  const mode = url.searchParams.get('sslmode');
  const files = said.some((name) => name !== 'sslmode');
  if (mode !== null && !MODES.includes(mode)) refuse(`sslmode has to be one of ${MODES.join(', ')}`);
  if (mode === 'disable' && files) refuse('sslmode=disable contradicts the files that it names');
  if (mode === 'no-verify') return 'no-verify';
  return mode === 'disable' || (mode === null && !files) ? 'disable' : 'verify-full';
}

/** How a user of the database connects: the options of `tls.connect`, or false for none. */
export function databaseTls(url: URL, user: string): ClientTls | false {
  const mode = databaseTlsMode(url);
  return mode === 'disable'
    ? false
    : clientTls(databaseFiles(url, user, 'database client'), mode === 'verify-full');
}

/** The client certificates that connections to a database present, each once. */
export function databaseCertificates(url: URL, cell: string, users: readonly string[]): TlsFiles[] {
  if (!url.searchParams.has('sslcert')) return [];
  const perUser = (url.searchParams.get('sslcert') ?? '').includes(USER);
  return (perUser ? users : users.slice(0, 1)).map((user) =>
    databaseFiles(url, user, `database client ${cell}${perUser ? ` ${user}` : ''}`),
  );
}

/** The URL without what only we understand of it. */
export function withoutTlsParameters(url: URL): string {
  const bare = new URL(url);
  for (const name of PARAMETERS) bare.searchParams.delete(name);
  return bare.href;
}

/** How the owner, whose URL it is, connects. */
export function ownerConnection(ownerUrl: string): Pick<ClientConfig, 'connectionString' | 'ssl'> {
  const url = new URL(ownerUrl);
  return {
    connectionString: withoutTlsParameters(url),
    ssl: databaseTls(url, decodeURIComponent(url.username)),
  };
}

/**
 * Stands for the database user in the name of a file: `clientcert=verify-full` of PostgreSQL wants a certificate whose
 * common name is the user's, and each login is a user.
 */
const USER = '{user}';

function databaseFiles(url: URL, user: string, name: string): TlsFiles {
  const file = (parameter: string): PemFile | undefined => {
    const path = url.searchParams.get(parameter);
    if (path === null || path === '') return undefined;
    return { setting: `${parameter} of the database URL`, path: path.replaceAll(USER, user) };
  };
  const [cert, key, ca] = [file('sslcert'), file('sslkey'), file('sslrootcert')];
  if ((cert === undefined) !== (key === undefined)) refuse('sslcert and sslkey come together');
  // As libpq has it since PostgreSQL 16: the authorities that the system believes.
  const system = ca?.path === 'system';
  return new TlsFiles({ name, cert, key, ca: system ? undefined : ca, policy: tlsPolicy('1.2') });
}

function refuse(what: string): never {
  throw new ConfigurationError(`In the URL of a database ${what}. See docs/operations/tls.md.`);
}
