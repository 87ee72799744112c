import { afterEach, beforeEach, expect, it } from 'vitest';
import { startFakeKms, type FakeKms } from '../../../../test/fakes/kms.js';
import { AwsKms } from './aws-kms.js';

let fake: FakeKms;
let kms: AwsKms;
const context = { tenant: 't1' };

beforeEach(async () => {
  fake = await startFakeKms();
  kms = new AwsKms({ region: fake.region, endpoint: fake.endpoint, credentials: fake.credentials });
});
afterEach(() => fake.close());

it('says in description and tag whose key it is', async () => {
  const arn = await kms.createTenantKey('t1');
  expect(fake.describe(arn)).toMatchObject({
    description: 'Waxell tenant t1',
    tags: [{ TagKey: 'waxell:tenant', TagValue: 't1' }],
  });
});

it('is refused with a wrong secret', async () => {
  const credentials = { ...fake.credentials, secretAccessKey: 'wrong' };
  const stranger = new AwsKms({ region: fake.region, endpoint: fake.endpoint, credentials });
  await expect(stranger.createTenantKey('t1')).rejects.toMatchObject({ code: 'access_denied' });
});

it.each(['internal', 'throttle'] as const)('tries again after the passing error %s', async (how) => {
  const key = await kms.createTenantKey('t1');
  fake.fail(how, 2);
  expect((await kms.generateDataKey(key, context)).plaintext).toHaveLength(32);
  expect(fake.calls.filter((call) => call === 'GenerateDataKey')).toHaveLength(3);
});

it.each([
  ['DependencyTimeoutException', 503],
  ['KeyUnavailableException', 500],
  ['ThrottlingException', 400],
  ['LimitExceededException', 400],
  ['SomethingNew', 500],
])('takes %s for something that passes', async (type, status) => {
  const key = await kms.createTenantKey('t1');
  fake.fail({ type, status }, 3);
  await expect(kms.generateDataKey(key, context)).rejects.toMatchObject({ code: 'unavailable' });
});

it.each([
  ['InvalidGrantTokenException', 'access_denied'],
  ['SomethingNew', 'refused'],
  ['AccessDeniedException', 'access_denied'],
  ['ValidationException', 'key_unfit'],
])('takes %s for a refusal, and does not try again', async (type, code) => {
  const key = await kms.createTenantKey('t1');
  fake.fail({ type, status: 400 }, 3);
  await expect(kms.generateDataKey(key, context)).rejects.toMatchObject({ code });
  expect(fake.calls.filter((call) => call === 'GenerateDataKey')).toHaveLength(1);
});

it.each([
  ['PendingImport', 'key_unusable'],
  ['Unavailable', 'key_unusable'],
  ['Creating', 'key_unusable'],
  ['PendingReplicaDeletion', 'key_pending_deletion'],
  ['PendingDeletion', 'key_pending_deletion'],
  ['Disabled', 'key_disabled'],
] as const)('takes a key in the state %s for one that may not be used', async (state, code) => {
  const key = await kms.createTenantKey('t1');
  const { plaintext, wrapped } = await kms.generateDataKey(key, context);
  fake.setState(key, state);
  await expect(kms.generateDataKey(key, context)).rejects.toMatchObject({ code });
  await expect(kms.decrypt(key, wrapped, context)).rejects.toMatchObject({ code });
  await expect(kms.encrypt(key, plaintext, context)).rejects.toMatchObject({ code });
});

it('says of a key for something else, of another region, and of what is no key, that it is none', async () => {
  const signing = fake.newKey({ usage: 'SIGN_VERIFY' });
  await expect(kms.generateDataKey(signing, context)).rejects.toMatchObject({ code: 'key_unfit' });
  const malformed = signing.replace(':key/', ':alias-of/');
  await expect(kms.generateDataKey(malformed, context)).rejects.toMatchObject({ code: 'key_unfit' });
  const elsewhere = fake.newKey({ region: 'us-east-1' });
  await expect(kms.generateDataKey(elsewhere, context)).rejects.toMatchObject({ code: 'key_not_found' });
});

it('takes credentials that cannot be had for something that passes', async () => {
  const before = { ...process.env };
  for (const name of Object.keys(before)) if (name.startsWith('AWS_')) delete process.env[name];
  Object.assign(process.env, { AWS_EC2_METADATA_DISABLED: 'true', HOME: '/nonexistent' });
  try {
    const without = new AwsKms({ region: fake.region, endpoint: fake.endpoint });
    await expect(without.createTenantKey('t1')).rejects.toMatchObject({
      code: 'unavailable',
      cause: { name: 'CredentialsProviderError' },
    });
  } finally {
    process.env = before;
  }
});

it('gives up after three tries', async () => {
  const key = await kms.createTenantKey('t1');
  fake.fail('internal', 100);
  await expect(kms.generateDataKey(key, context)).rejects.toMatchObject({ code: 'unavailable' });
  expect(fake.calls.filter((call) => call === 'GenerateDataKey')).toHaveLength(3);
});

it('does not wait for a service that does not answer', async () => {
  const key = await kms.createTenantKey('t1');
  fake.fail('hang', 100);
  const { region, endpoint, credentials } = fake;
  const impatient = new AwsKms({ region, endpoint, credentials, requestTimeoutMs: 100 });
  const begin = Date.now();
  await expect(impatient.generateDataKey(key, context)).rejects.toMatchObject({ code: 'unavailable' });
  expect(Date.now() - begin).toBeLessThan(2_000);
});

it('is unavailable where nobody listens', async () => {
  await fake.close();
  await expect(kms.createTenantKey('t1')).rejects.toMatchObject({ code: 'unavailable' });
});
