import { Application, newHome, preparedHome } from './application.js';
import { place, type KeyPair, type TestAuthority } from './certificates.js';
import { eventually } from './eventually.js';
import { freePort } from './free-port.js';
import { httpsGet } from './tls-client.js';

const START_LIMIT_MS = 60_000;

/** Starts the built program with TLS, and waits until it is ready for a client of the authority. */
export async function startWithTls(
  authority: TestAuthority,
  env: Readonly<Record<string, string>>,
  client: Partial<KeyPair> = {},
): Promise<Application> {
  const home = await (env['DATABASE_URL'] === undefined ? preparedHome() : newHome());
  const application = new Application(home, await freePort(), { LOG_LEVEL: 'info', ...env });
  const child = application.launch();
  await eventually(async () => {
    if (child.exitCode !== null) throw new Error(application.logs());
    const { status } = await httpsGet(application.port, '/readyz', { ca: authority.ca, ...client });
    if (status !== 200) throw new Error(`It is not ready: ${status}`);
  }, START_LIMIT_MS);
  return application;
}

/** Puts a new server certificate where the program looks for it. */
export async function showCertificate(
  authority: TestAuthority,
  dir: string,
  commonName: string,
  kind: 'rsa' | 'ecdsa' = 'ecdsa',
): Promise<void> {
  const { cert, key } = await authority.issue({ commonName, kind, usage: 'server' });
  await place(dir, { 'tls.crt': cert, 'tls.key': key });
}
