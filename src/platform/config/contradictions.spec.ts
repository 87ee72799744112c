import { expect, it } from 'vitest';
import { readEnvironment, refuseContradictions, refuseUnfitProduction } from './environment.js';

const refuse = (variables: Record<string, string>) => () => refuseContradictions(readEnvironment(variables));

it('a header with the country is not believed where callers could send it themselves', () => {
  expect(refuse({ GEO_COUNTRY_HEADER: 'CF-IPCountry' })).toThrow('GEO_COUNTRY_HEADER needs TRUSTED_PROXIES');
  expect(refuse({ GEO_COUNTRY_HEADER: 'CF-IPCountry', TRUSTED_PROXIES: '1' })).not.toThrow();
});

it('countries have one source', () => {
  const both = { GEO_COUNTRY_HEADER: 'CF-IPCountry', TRUSTED_PROXIES: '1', GEO_DATABASE: 'countries.mmdb' };
  expect(refuse(both)).toThrow('not both');
  expect(refuse({ GEO_DATABASE: 'countries.mmdb' })).not.toThrow();
  expect(refuse({})).not.toThrow();
});

it('text messages go to a gateway that can tell whose they are, and in production not in plain HTTP', () => {
  const secret = { TEXT_MESSAGES_SECRET: `whsec_${Buffer.alloc(32, 1).toString('base64')}` };
  const url = { TEXT_MESSAGES_URL: 'http://messages.example' };
  expect(refuse(url)).toThrow('Set both');
  expect(refuse(secret)).toThrow('Set both');
  expect(refuse({ ...url, ...secret })).not.toThrow();
  expect(refuse({ ...url, ...secret, NODE_ENV: 'production' })).toThrow('https://');
});

it('backups and objects are under different keys in production, however these are named', () => {
  const arn = 'arn:aws:kms:eu-west-1:111122223333:key/1234abcd';
  const set = (more: Record<string, string>) => () =>
    refuseUnfitProduction(
      readEnvironment({
        NODE_ENV: 'production',
        PUBLIC_URL: 'https://waxell.example',
        DATABASE_URL: 'postgres://db.example/waxell',
        DATABASE_LOGIN_SECRET: 'x'.repeat(64),
        REDIS_URL: 'rediss://redis.example',
        AWS_REGION: 'eu-west-1',
        S3_BUCKET: 'bucket',
        WAXELL_OPERATOR_KEY_HASH: 'a'.repeat(64),
        WORKER: 'separate',
        ...more,
      }),
    );
  for (const [objects, backups] of [
    [arn, '1234abcd'],
    ['alias/waxell', 'arn:aws:kms:eu-west-1:111122223333:alias/waxell'],
    [arn, arn],
  ] as const)
    expect(set({ S3_KMS_KEY_ID: objects, BACKUP_KMS_KEY_ID: backups })).toThrow('a key for backups alone');
  expect(set({ S3_KMS_KEY_ID: arn, BACKUP_KMS_KEY_ID: 'alias/backups' })).not.toThrow();
});

it.each([
  ['RATE_LIMIT_IP_PER_SECOND', '0'],
  ['RATE_LIMIT_IP_BURST', '-5'],
  ['RATE_LIMIT_TENANT_PER_SECOND', '1.5'],
  ['RATE_LIMIT_SIGN_IN_PER_MINUTE', 'many'],
  ['RATE_LIMIT_TENANT_BURST', '99999999999'],
  ['GEO_COUNTRY_HEADER', 'two words'],
  ['TEXT_MESSAGES_SECRET', 'whsec_short'],
  ['TEXT_MESSAGES_PREFIXES', '+44,49'],
  ['TEXT_MESSAGES_PREFIXES', '+44,'],
  ['TEXT_MESSAGES_PER_DAY', '0'],
])('%s=%s is refused by name', (name, value) => {
  expect(() => readEnvironment({ [name]: value })).toThrow(name);
});
