import { ConfigurationError, type Environment } from '../config/environment.js';
import { tlsPolicy } from './policy.js';
import { TlsFiles } from './tls-files.js';

/** What a rediss:// connection is made with; undefined where no Redis is reached by TLS. */
export function redisFiles(env: Environment): TlsFiles | undefined {
  const { REDIS_TLS_CA_FILE: ca, REDIS_TLS_CERT_FILE: cert, REDIS_TLS_KEY_FILE: key } = env;
  if ((cert === undefined) !== (key === undefined))
    throw new ConfigurationError('REDIS_TLS_CERT_FILE and REDIS_TLS_KEY_FILE come together.');
  const urls = [env.REDIS_URL, ...env.CELLS.map((cell) => cell.redisUrl)].filter((url) => url !== undefined);
  const plain = urls.some((url) => !isTls(url));
  if (plain && (ca !== undefined || cert !== undefined))
    throw new ConfigurationError(
      'REDIS_TLS_CA_FILE and REDIS_TLS_CERT_FILE need rediss:// in every URL of a Redis.',
    );
  if (!urls.some(isTls)) return undefined;
  return new TlsFiles({
    name: 'redis client',
    cert: cert === undefined ? undefined : { setting: 'REDIS_TLS_CERT_FILE', path: cert },
    key: key === undefined ? undefined : { setting: 'REDIS_TLS_KEY_FILE', path: key },
    ca: ca === undefined ? undefined : { setting: 'REDIS_TLS_CA_FILE', path: ca },
    policy: tlsPolicy('1.2'),
  });
}

function isTls(url: string): boolean {
  return url.startsWith('rediss:');
}
