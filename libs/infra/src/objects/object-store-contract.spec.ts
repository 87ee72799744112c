import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startFakeS3 } from '../../../../test/fakes/s3.js';
import { FileObjectStore } from './file-object-store.js';
import { S3ObjectStore } from './s3-object-store.js';

interface Opened {
  readonly store: FileObjectStore | S3ObjectStore;
  close(): Promise<void>;
}

async function openFiles(): Promise<Opened> {
  const dir = await mkdtemp(join(tmpdir(), 'waxell-objects-'));
  return {
    store: new FileObjectStore({ dir: join(dir, 'objects') }),
    close: () => rm(dir, { recursive: true }),
  };
}

async function openS3(): Promise<Opened> {
  const fake = await startFakeS3();
  const { endpoint, region, bucket, credentials } = fake;
  const store = new S3ObjectStore({ bucket, region, endpoint, credentials, forcePathStyle: true });
  return { store, close: () => fake.close() };
}

describe.each([
  ['FileObjectStore', openFiles],
  ['S3ObjectStore', openS3],
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
    expect(await store.size('mine/')).toBe(36);
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
