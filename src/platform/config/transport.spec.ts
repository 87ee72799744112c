import { expect, it } from 'vitest';
import { readEnvironment } from './environment.js';
import { refusePlaintext } from './transport.js';

/** Production as it ought to be; variables that are given replace it, undefined takes one away. */
function refusing(
  variables: Record<string, string | undefined>,
  process: 'main' | 'worker' = 'main',
): () => void {
  const all = {
    NODE_ENV: 'production',
    TLS_CERT_FILE: '/run/tls.crt',
    TLS_KEY_FILE: '/run/tls.key',
    PUBLIC_URL: 'https://waxell.example',
    DATABASE_URL: 'postgres://owner:canary@db.invalid/waxell?sslmode=verify-full',
    REDIS_URL: 'rediss://:canary@redis.invalid',
    ...variables,
  };
  return () => refusePlaintext(readEnvironment(all), all, process);
}

const NO_CERTIFICATE = { TLS_CERT_FILE: undefined, TLS_KEY_FILE: undefined };

it.each([
  ['its own TLS', {}],
  ['proxies in front', { ...NO_CERTIFICATE, TRUSTED_PROXIES: '1' }],
  ['a word that TLS ends elsewhere', { ...NO_CERTIFICATE, TLS_TERMINATED_ELSEWHERE: 'true' }],
  [
    'a database and a Redis beside it',
    { DATABASE_URL: 'postgres://o:p@127.0.0.1/w', REDIS_URL: 'redis://[::1]' },
  ],
  ['modes that mean verify-full here', { DATABASE_URL: 'postgres://o:p@db.invalid/w?sslmode=require' }],
])('production serves with %s', (_what, variables) => {
  expect(refusing(variables)).not.toThrow();
});

it.each([
  ['plain HTTP', NO_CERTIFICATE, 'does not serve plain HTTP'],
  [
    'plain HTTP on request of the wrong word',
    { ...NO_CERTIFICATE, TLS_TERMINATED_ELSEWHERE: 'false' },
    'plain HTTP',
  ],
  ['a database without TLS', { DATABASE_URL: 'postgres://o:canary@db.invalid/w' }, 'DATABASE_URL'],
  [
    'a database with sslmode=disable',
    { DATABASE_URL: 'postgres://o:canary@db.invalid/w?sslmode=disable' },
    'DATABASE_URL',
  ],
  [
    'a database that is not verified',
    { DATABASE_URL: 'postgres://o:canary@db.invalid/w?sslmode=no-verify' },
    'DATABASE_URL',
  ],
  [
    'a host that begins like loopback',
    { DATABASE_URL: 'postgres://o:canary@127.0.0.1.invalid/w' },
    'DATABASE_URL',
  ],
  ['a Redis without TLS', { REDIS_URL: 'redis://:canary@redis.invalid' }, 'REDIS_URL'],
  ['a public URL without TLS', { PUBLIC_URL: 'http://canary.invalid' }, 'PUBLIC_URL'],
  ['a key service without TLS', { AWS_KMS_ENDPOINT: 'http://canary.invalid' }, 'AWS_KMS_ENDPOINT'],
  ['objects without TLS', { S3_ENDPOINT: 'http://canary.invalid' }, 'S3_ENDPOINT'],
  ['models without TLS', { ANTHROPIC_BASE_URL: 'http://canary.invalid' }, 'ANTHROPIC_BASE_URL'],
  ['a process that verifies nobody', { NODE_TLS_REJECT_UNAUTHORIZED: '0' }, 'NODE_TLS_REJECT_UNAUTHORIZED'],
  [
    'a further cell without TLS',
    {
      CELLS:
        '[{"name":"eu-2","region":"eu-west-1","databaseUrl":"postgres://o:canary@db.invalid/w","redisUrl":"redis://x.invalid"}]',
    },
    'databaseUrl of eu-2 in CELLS with sslmode=verify-full; redisUrl of eu-2 in CELLS with rediss://',
  ],
])('production refuses %s, by name and never by value', (_what, variables, message) => {
  expect(refusing(variables)).toThrow(message);
  expect(refusing(variables)).not.toThrow(/canary/);
});

it('a worker serves no HTTP, so it needs no certificate', () => {
  expect(refusing(NO_CERTIFICATE, 'worker')).not.toThrow();
  expect(refusing({ ...NO_CERTIFICATE, REDIS_URL: 'redis://redis.invalid' }, 'worker')).toThrow('REDIS_URL');
});

it('outside of production nothing of this is refused', () => {
  const variables = { NODE_ENV: 'development', ...NO_CERTIFICATE, REDIS_URL: 'redis://redis.invalid' };
  expect(refusing(variables)).not.toThrow();
});
