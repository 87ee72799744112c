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
