import { afterEach, beforeEach, expect, it } from 'vitest';
import { startFakeS3, type FakeS3 } from '../../../../test/fakes/s3.js';
import { ObjectStoreError } from './object-key.js';
import { S3ObjectStore, type S3ObjectStoreOptions } from './s3-object-store.js';

let fake: FakeS3;

function open(options: Partial<S3ObjectStoreOptions> = {}): S3ObjectStore {
  const { bucket, region, endpoint, credentials } = fake;
  return new S3ObjectStore({ bucket, region, endpoint, credentials, forcePathStyle: true, ...options });
}

beforeEach(async () => {
  fake = await startFakeS3();
});
afterEach(() => fake.close());

it('states the content type', async () => {
  await open().put('a.json', Buffer.from('{}'), { contentType: 'application/json' });
  await open().put('a.bin', Buffer.from('x'));
  expect(fake.contentTypeOf('a.json')).toBe('application/json');
  expect(fake.contentTypeOf('a.bin')).toBe('application/octet-stream');
});

it('has objects sealed under its KMS key, by way of a bucket key; stores nothing where there is no such key', async () => {
  await fake.close();
  fake = await startFakeS3({ kmsKeys: ['alias/waxell-objects'] });
  await open({ kmsKeyId: 'alias/waxell-objects' }).put('a', Buffer.from('x'));
  expect(fake.content.version('a')?.sealedUnder).toEqual({ key: 'alias/waxell-objects', bucketKey: true });
  expect(await open().get('a')).toEqual(Buffer.from('x'));
  const refused = open({ kmsKeyId: 'alias/unknown' }).put('b', Buffer.from('x'));
  await expect(refused).rejects.toThrow('KMS.NotFoundException');
  expect(fake.content.version('b')).toBeUndefined();
});

it('is refused with a wrong secret', async () => {
  const stranger = open({ credentials: { ...fake.credentials, secretAccessKey: 'wrong' } });
  await expect(stranger.get('a')).rejects.toThrow('SignatureDoesNotMatch');
});

it('does not take a missing bucket for a missing object', async () => {
  await expect(open({ bucket: 'other' }).get('a')).rejects.toThrow('NoSuchBucket');
});

it.each(['internal', 'slow-down'] as const)('tries again after the passing error %s', async (how) => {
  fake.fail(how, 2);
  await open().put('a', Buffer.from('x'));
  expect(fake.calls).toHaveLength(3);
  expect(await open().get('a')).toEqual(Buffer.from('x'));
});

it('gives up after three tries, and does not wait for a server that does not answer', async () => {
  fake.fail('internal', 100);
  await expect(open().get('a')).rejects.toBeInstanceOf(ObjectStoreError);
  expect(fake.calls).toHaveLength(3);
  fake.fail('hang', 100);
  const begin = Date.now();
  await expect(open({ requestTimeoutMs: 100 }).get('a')).rejects.toBeInstanceOf(ObjectStoreError);
  expect(Date.now() - begin).toBeLessThan(2_000);
});
