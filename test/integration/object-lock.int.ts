import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectVersionsCommand,
  PutObjectCommand,
  PutObjectRetentionCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { S3ObjectStore, type S3ObjectStoreOptions } from '@waxell/infra';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { appendEvents, endPeriod, logKeeping } from '../support/cold-logs.js';
import { haveRadosGateway, startRadosGateway, type TestRadosGateway } from '../support/radosgw.js';
import { openTestDatabase } from '../support/test-database.js';

const have = await haveRadosGateway();
const DAY = 86_400_000;
const inDays = (days: number): Date => new Date(Math.floor(Date.now() / 1_000) * 1_000 + days * DAY);

describe.skipIf(!have)('Object Lock, as a real S3 server enforces it', () => {
  let server: TestRadosGateway;
  let client: S3Client;
  let options: S3ObjectStoreOptions;
  let store: S3ObjectStore;

  beforeAll(async () => {
    server = await startRadosGateway();
    const { endpoint, credentials } = server;
    const where = { region: 'default', endpoint, credentials, forcePathStyle: true };
    client = new S3Client({ ...where, responseChecksumValidation: 'WHEN_REQUIRED' });
    await client.send(new CreateBucketCommand({ Bucket: 'locked', ObjectLockEnabledForBucket: true }));
    await client.send(new CreateBucketCommand({ Bucket: 'open' }));
    options = { ...where, bucket: 'locked' };
    store = new S3ObjectStore({ ...options, objectLock: true });
  }, 180_000);
  afterAll(async () => {
    client?.destroy();
    await server?.stop();
  });

  const versions = async (key: string): Promise<string[]> => {
    const { Versions = [] } = await client.send(
      new ListObjectVersionsCommand({ Bucket: 'locked', Prefix: key }),
    );
    return Versions.flatMap(({ VersionId: id }) => (id === undefined ? [] : [id]));
  };

  it('is known of a bucket before anything is put into it', async () => {
    expect(await S3ObjectStore.hasObjectLock(options)).toBe(true);
    expect(await S3ObjectStore.hasObjectLock({ ...options, bucket: 'open' })).toBe(false);
  });

  it('refuses the owner of the bucket to delete a version, to shorten its time, and to bypass it', async () => {
    const until = inDays(365);
    await store.put('tenants/a/cold/1', Buffer.from('kept'), { retainUntil: until });
    const [version = ''] = await versions('tenants/a/cold/1');
    const object = { Bucket: 'locked', Key: 'tenants/a/cold/1', VersionId: version };
    const refusals = [
      new DeleteObjectCommand(object),
      new DeleteObjectCommand({ ...object, BypassGovernanceRetention: true }),
    ];
    for (const command of refusals)
      await expect(client.send(command)).rejects.toMatchObject({ name: 'AccessDenied' });
    for (const [Mode, date] of [
      ['COMPLIANCE', inDays(1)],
      ['GOVERNANCE', until],
      ['GOVERNANCE', inDays(1)],
    ] as const)
      for (const BypassGovernanceRetention of [false, true])
        await expect(
          client.send(
            new PutObjectRetentionCommand({
              ...object,
              Retention: { Mode, RetainUntilDate: date },
              BypassGovernanceRetention,
            }),
          ),
        ).rejects.toMatchObject({ name: 'AccessDenied' });
    expect(await store.get('tenants/a/cold/1')).toEqual(Buffer.from('kept'));
    expect((await store.locks?.of('tenants/a/cold/1'))?.retainUntil).toEqual(until);
  });

  it('keeps what was put when something else is put over it, or it is hidden by a deletion', async () => {
    await store.put('b', Buffer.from('kept'), { retainUntil: inDays(2) });
    const [version = ''] = await versions('b');
    await client.send(new PutObjectCommand({ Bucket: 'locked', Key: 'b', Body: 'forged' }));
    await client.send(new DeleteObjectCommand({ Bucket: 'locked', Key: 'b' }));
    expect(await store.get('b')).toBeNull();
    const { Body } = await client.send(
      new GetObjectCommand({ Bucket: 'locked', Key: 'b', VersionId: version }),
    );
    expect(await Body?.transformToString()).toBe('kept');
  });

  it('is made longer, held and lifted by our adapter, which refuses to delete before', async () => {
    // Named once: a second passes between two calls.
    const [first, second, third] = [inDays(1), inDays(2), inDays(3)];
    await store.put('c', Buffer.from('kept'), { retainUntil: first, legalHold: true });
    expect(await store.locks?.of('c')).toEqual({ retainUntil: first, legalHold: true });
    await store.locks?.extend('c', third);
    await store.locks?.extend('c', second);
    await store.locks?.hold('c', false);
    expect(await store.locks?.of('c')).toEqual({ retainUntil: third, legalHold: false });
    await expect(store.delete('c')).rejects.toMatchObject({ name: 'ObjectLocked' });
    const soon = new Date(Date.now() + 2_000);
    await store.put('d', Buffer.from('x'), { retainUntil: soon });
    await store.put('d', Buffer.from('x'), { retainUntil: soon });
    await expect(store.delete('d')).rejects.toMatchObject({ name: 'ObjectLocked' });
    await new Promise((resolve) => setTimeout(resolve, 3_500));
    await store.delete('d');
    expect(await versions('d')).toEqual([]);
  });

  it('holds for the events of a log that go to cold storage there', async () => {
    const db = await openTestDatabase();
    try {
      const keeping = logKeeping(db, store);
      const [a, b] = [await db.newTenant(), await db.newTenant()];
      for (const tenant of [a, b]) await appendEvents(keeping.log, tenant, 300);
      await endPeriod(db, 91);
      for (const tenant of [a, b]) {
        await appendEvents(keeping.log, tenant, 5);
        await keeping.prove.current(tenant);
      }
      expect(await keeping.round()).toEqual([1]);
      for (const tenant of [a, b]) {
        expect(await keeping.verify.execute(tenant)).toMatchObject({ valid: true, checked: 305 });
        const [key = ''] = await store.list(`tenants/${tenant.id}/audit/cold/`, { limit: 5 });
        const days = ((await store.locks?.of(key))?.retainUntil?.getTime() ?? 0) - Date.now();
        expect(Math.round(days / DAY)).toBe(365 - 91);
        const [VersionId = ''] = await versions(key);
        const deletion = new DeleteObjectCommand({ Bucket: 'locked', Key: key, VersionId });
        await expect(client.send(deletion)).rejects.toMatchObject({ name: 'AccessDenied' });
      }
    } finally {
      await db.close();
    }
  });
});
