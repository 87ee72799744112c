import { expect, it } from 'vitest';
import { readEnvironment, refuseContradictions } from './environment.js';

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
