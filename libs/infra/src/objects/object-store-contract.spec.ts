import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startFakeS3 } from '../../../../test/fakes/s3.js';
import { FileObjectStore } from './file-object-store.js';
import { LocalKms } from '../kms/local-kms.js';
import { ObjectEnvelope } from './object-envelope.js';
import { ObjectLocked } from './object-key.js';
import { S3ObjectStore } from './s3-object-store.js';

interface Opened {
  readonly store: FileObjectStore | S3ObjectStore;
  /** Bytes that an object takes beyond its own. */
  readonly overhead?: number;
  close(): Promise<void>;
}

async function openFiles(): Promise<Opened> {
  const dir = await mkdtemp(join(tmpdir(), 'waxell-objects-'));
  return {
    store: new FileObjectStore({ dir: join(dir, 'objects') }),
    close: () => rm(dir, { recursive: true }),
  };
}

async function openSealedFiles(): Promise<Opened> {
  const home = await mkdtemp(join(tmpdir(), 'waxell-objects-'));
  const dir = join(home, 'objects');
  const envelope = await ObjectEnvelope.openFolder(await LocalKms.open({ home }), dir);
  const store = new FileObjectStore({ dir, envelope });
  return { store, overhead: 100, close: () => rm(home, { recursive: true }) };
}

async function openS3(): Promise<Opened> {
  const fake = await startFakeS3();
  const { endpoint, region, bucket, credentials } = fake;
  const store = new S3ObjectStore({ bucket, region, endpoint, credentials, forcePathStyle: true });
  return { store, close: () => fake.close() };
}

async function openLockingS3(): Promise<Opened> {
  const fake = await startFakeS3({ objectLock: true });
  const { endpoint, region, bucket, credentials } = fake;
  const options = { bucket, region, endpoint, credentials, forcePathStyle: true };
  const objectLock = await S3ObjectStore.hasObjectLock(options);
  return { store: new S3ObjectStore({ ...options, objectLock }), close: () => fake.close() };
}

describe.each([
  ['FileObjectStore', openFiles],
  ['FileObjectStore, sealed', openSealedFiles],
  ['S3ObjectStore', openS3],
  ['S3ObjectStore with Object Lock', openLockingS3],
])('%s', (_, open) => {
  let opened: Opened;
  let store: Opened['store'];

  beforeEach(async () => {
    opened = await open();
    store = opened.store;
  });
  afterEach(() => opened.close());

  async function putAll(keys: readonly string[]): Promise<void> {
    for (const key of keys) await store.put(key, Buffer.from(key));
  }

  it('returns what was put, byte for byte, also when it is empty', async () => {
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, index) => index % 256));
    await store.put('t1/tiles/0=a_b-c.bin', bytes, { contentType: 'application/octet-stream' });
    await store.put('t1/empty', Buffer.alloc(0));
    expect(await store.get('t1/tiles/0=a_b-c.bin')).toEqual(bytes);
    expect(await store.get('t1/empty')).toEqual(Buffer.alloc(0));
  });

  it('returns the later of two objects put under one key', async () => {
    await store.put('a/b', Buffer.from('first, and longer'));
    await store.put('a/b', Buffer.from('second'));
    expect(await store.get('a/b')).toEqual(Buffer.from('second'));
  });

  it('has null for what was never put, or was deleted; deleting twice is no error', async () => {
    expect(await store.get('a/b')).toBeNull();
    await putAll(['a/b', 'a/c']);
    await store.delete('a/b');
    await store.delete('a/b');
    expect(await store.get('a/b')).toBeNull();
    expect(await store.get('a/c')).not.toBeNull();
  });

  it('keeps a key apart from the keys below it', async () => {
    await putAll(['a', 'a/b']);
    expect(await store.get('a')).toEqual(Buffer.from('a'));
    expect(await store.list('', { limit: 10 })).toEqual(['a', 'a/b']);
    await store.delete('a');
    expect(await store.list('', { limit: 10 })).toEqual(['a/b']);
  });

  it('lists in the order of bytes, page by page', async () => {
    const keys = ['a-b', 'a.b', 'a/b/c', 'a/b/d', 'a/c', 'a=b', 'aB', 'ab', 'b/1', 'b/10', 'b/2'];
    await putAll(keys.toReversed());
    expect(await store.list('', { limit: 100 })).toEqual(keys);
    const paged: string[] = [];
    for (;;) {
      const page = await store.list('', { after: paged.at(-1), limit: 4 });
      if (page.length === 0) break;
      paged.push(...page);
    }
    expect(paged).toEqual(keys);
  });

  it('knows how many bytes lie below a prefix, over many pages, and none elsewhere', async () => {
    for (let at = 1; at <= 8; at += 1) await store.put(`mine/part-${at}`, Buffer.alloc(at));
    await store.put('mine2/part', Buffer.alloc(100));
    expect(await store.size('mine/')).toBe(36 + 8 * (opened.overhead ?? 0));
    expect(await store.size('nobody/')).toBe(0);
  });

  it('lists below a prefix, which may end within a segment', async () => {
    await putAll(['t1/log/1', 't1/log/2', 't1/logs', 't10/log/1', 't2/log/1']);
    expect(await store.list('t1/', { limit: 10 })).toEqual(['t1/log/1', 't1/log/2', 't1/logs']);
    expect(await store.list('t1/log', { limit: 10 })).toEqual(['t1/log/1', 't1/log/2', 't1/logs']);
    expect(await store.list('t1/log/', { after: 't1/log/1', limit: 10 })).toEqual(['t1/log/2']);
    expect(await store.list('t1', { limit: 4 })).toEqual(['t1/log/1', 't1/log/2', 't1/logs', 't10/log/1']);
    expect(await store.list('none/', { limit: 10 })).toEqual([]);
  });

  it.each([
    '',
    '/',
    '/etc/passwd',
    '../up',
    'a/../b',
    'a/..',
    './a',
    'a//b',
    'a/',
    'a\\b',
    'a b',
    'a%2fb',
    'a~',
    'ä',
    'a\0b',
    'a\nb',
  ])('refuses the key %j', async (key) => {
    await expect(store.put(key, Buffer.from('x'))).rejects.toThrow('Not an object key');
    await expect(store.get(key)).rejects.toThrow('Not an object key');
    await expect(store.delete(key)).rejects.toThrow('Not an object key');
  });

  it.each(['../', '/', 'a/../', 'a//'])('refuses the prefix %j', async (prefix) => {
    await expect(store.list(prefix, { limit: 1 })).rejects.toThrow("Not an object key's beginning");
  });
});

describe.each([
  ['FileObjectStore', openFiles],
  ['FileObjectStore, sealed', openSealedFiles],
  ['S3ObjectStore with Object Lock', openLockingS3],
])('a lock of %s', (_, open) => {
  let opened: Opened;
  let store: Opened['store'];
  const soon = (): Date => new Date(Date.now() + 2_000);
  const locks = (): NonNullable<Opened['store']['locks']> => {
    if (!store.locks) throw new Error('This store has no locks.');
    return store.locks;
  };

  beforeEach(async () => {
    opened = await open();
    store = opened.store;
  });
  afterEach(() => opened.close());

  it('keeps an object until its time, and no longer; its neighbour is not locked', async () => {
    const retainUntil = new Date(Date.now() + 400);
    await store.put('a/b', Buffer.from('x'), { retainUntil });
    await store.put('a/bc', Buffer.from('y'));
    expect(await locks().of('a/b')).toEqual({ retainUntil, legalHold: false });
    expect(await locks().of('a/bc')).toEqual({ retainUntil: undefined, legalHold: false });
    await expect(store.delete('a/b')).rejects.toBeInstanceOf(ObjectLocked);
    await store.delete('a/bc');
    expect(await store.get('a/b')).toEqual(Buffer.from('x'));
    await new Promise((resolve) => setTimeout(resolve, 450));
    await store.delete('a/b');
    expect(await store.get('a/b')).toBeNull();
    expect(await locks().of('a/b')).toEqual({ retainUntil: undefined, legalHold: false });
  });

  it('is made longer, never shorter', async () => {
    const [sooner, later] = [soon(), new Date(Date.now() + 60_000)];
    await store.put('a', Buffer.from('x'), { retainUntil: sooner });
    await locks().extend('a', later);
    expect((await locks().of('a')).retainUntil).toEqual(later);
    await locks().extend('a', sooner);
    expect((await locks().of('a')).retainUntil).toEqual(later);
  });

  it('is held beyond its time, until it is lifted', async () => {
    await store.put('a', Buffer.from('x'), { legalHold: true });
    await expect(store.delete('a')).rejects.toBeInstanceOf(ObjectLocked);
    await locks().hold('a', false);
    await store.delete('a');
    await store.put('b', Buffer.from('x'));
    await locks().hold('b', true);
    expect(await locks().of('b')).toEqual({ retainUntil: undefined, legalHold: true });
    await expect(store.delete('b')).rejects.toBeInstanceOf(ObjectLocked);
  });

  it('lets the same content be put again, which a process does that was killed before', async () => {
    await store.put('a', Buffer.from('x'), { retainUntil: soon() });
    await store.put('a', Buffer.from('x'), { retainUntil: soon() });
    expect(await store.get('a')).toEqual(Buffer.from('x'));
    await expect(store.delete('a')).rejects.toBeInstanceOf(ObjectLocked);
    expect(await store.list('', { limit: 10 })).toEqual(['a']);
  });
});

it('a bucket without Object Lock says so, and locks nothing', async () => {
  const fake = await startFakeS3();
  const { endpoint, region, bucket, credentials } = fake;
  const options = { bucket, region, endpoint, credentials, forcePathStyle: true };
  expect(await S3ObjectStore.hasObjectLock(options)).toBe(false);
  const put = new S3ObjectStore(options).put('a', Buffer.from('x'), { retainUntil: new Date() });
  await expect(put).rejects.toThrow('without Object Lock');
  await expect(S3ObjectStore.hasObjectLock({ ...options, bucket: 'other' })).rejects.toThrow('NoSuchBucket');
  await fake.close();
});

it('a file that is locked is not written over with something else', async () => {
  const opened = await openFiles();
  await opened.store.put('a', Buffer.from('x'), { retainUntil: new Date(Date.now() + 60_000) });
  await expect(opened.store.put('a', Buffer.from('y'))).rejects.toBeInstanceOf(ObjectLocked);
  expect(await opened.store.get('a')).toEqual(Buffer.from('x'));
  await opened.close();
});
