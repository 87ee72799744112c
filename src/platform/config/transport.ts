import { isIPv4 } from 'node:net';
import { databaseTlsMode } from '../database/database-tls.js';
import { ConfigurationError, type Environment } from './environment.js';

/**
 * Production speaks TLS with everybody, except with what runs on the same machine (a proxy beside it, say). Each part
 * names its variable, never its value.
 */
export function refusePlaintext(
  env: Environment,
  variables: Record<string, string | undefined>,
  process: 'main' | 'worker',
): void {
  if (env.NODE_ENV !== 'production') return;
  if (variables['NODE_TLS_REJECT_UNAUTHORIZED'] === '0')
    throw new ConfigurationError('NODE_ENV=production refuses NODE_TLS_REJECT_UNAUTHORIZED=0.');
  if (process === 'main') refusePlainServer(env);
  const plain = [...plainDatabases(env), ...plainUrls(env)];
  if (plain.length > 0)
    throw new ConfigurationError(
      `NODE_ENV=production needs TLS towards whatever is not on this machine: ${plain.join('; ')}.`,
    );
}

function refusePlainServer(env: Environment): void {
  const elsewhere = env.TRUSTED_PROXIES > 0 || env.TLS_TERMINATED_ELSEWHERE === true;
  if (env.TLS_CERT_FILE !== undefined || elsewhere) return;
  throw new ConfigurationError(
    'NODE_ENV=production does not serve plain HTTP: set TLS_CERT_FILE and TLS_KEY_FILE; or, where TLS ends before ' +
      'this process, TRUSTED_PROXIES or TLS_TERMINATED_ELSEWHERE=true.',
  );
}

function plainDatabases(env: Environment): string[] {
  const urls: [string, string | undefined][] = [
    ['DATABASE_URL', env.DATABASE_URL],
    ['DATABASE_POOLER_URL', env.DATABASE_POOLER_URL],
    ...env.CELLS.flatMap((cell): [string, string | undefined][] => [
      [`databaseUrl of ${cell.name} in CELLS`, cell.databaseUrl],
      [`poolerUrl of ${cell.name} in CELLS`, cell.poolerUrl],
    ]),
  ];
  return urls.flatMap(([name, text]) => {
    const url = text === undefined ? undefined : new URL(text);
    const fits = url === undefined || isLoopback(url) || databaseTlsMode(url) === 'verify-full';
    return fits ? [] : [`${name} with sslmode=verify-full`];
  });
}

function plainUrls(env: Environment): string[] {
  const urls: [string, string | undefined, string][] = [
    ['PUBLIC_URL', env.PUBLIC_URL, 'https:'],
    ['REDIS_URL', env.REDIS_URL, 'rediss:'],
    ...env.CELLS.map((cell): [string, string | undefined, string] => [
      `redisUrl of ${cell.name} in CELLS`,
      cell.redisUrl,
      'rediss:',
    ]),
    ['AWS_KMS_ENDPOINT', env.AWS_KMS_ENDPOINT, 'https:'],
    ['S3_ENDPOINT', env.S3_ENDPOINT, 'https:'],
    ['OPENAI_BASE_URL', env.OPENAI_BASE_URL, 'https:'],
    ['ANTHROPIC_BASE_URL', env.ANTHROPIC_BASE_URL, 'https:'],
  ];
  return urls.flatMap(([name, text, protocol]) => {
    const url = text === undefined ? undefined : new URL(text);
    const fits = url === undefined || isLoopback(url) || url.protocol === protocol;
    return fits ? [] : [`${name} with ${protocol}//`];
  });
}

function isLoopback({ hostname }: URL): boolean {
  return (
    hostname === 'localhost' || hostname === '[::1]' || (isIPv4(hostname) && hostname.startsWith('127.'))
  );
}
