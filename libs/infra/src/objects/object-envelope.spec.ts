import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { LocalKms } from '../kms/local-kms.js';
import { FileObjectStore } from './file-object-store.js';
import { ObjectEnvelope } from './object-envelope.js';

const CANARY = 'canary of an object';

let home: string;
let dir: string;
let store: FileObjectStore;

async function opened(): Promise<FileObjectStore> {
  const envelope = await ObjectEnvelope.openFolder(await LocalKms.open({ home }), dir);
  return new FileObjectStore({ dir, envelope });
}

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'waxell-envelope-'));
  dir = join(home, 'objects');
  store = await opened();
});
afterEach(() => rm(home, { recursive: true }));

it('leaves nothing of an object on the disk, and nothing of two equal ones that is equal', async () => {
  await store.put('t1/a', Buffer.from(CANARY));
  await store.put('t1/b', Buffer.from(CANARY));
  const [a, b] = [await readFile(join(dir, 't1/a~')), await readFile(join(dir, 't1/b~'))];
  expect(a.includes(CANARY)).toBe(false);
  expect(a.subarray(10).equals(b.subarray(10))).toBe(false);
  expect((await store.get('t1/a'))?.toString()).toBe(CANARY);
});

it('is opened by a later start, and by another process that started at the same time', async () => {
  await store.put('a', Buffer.from(CANARY));
  expect((await (await opened()).get('a'))?.toString()).toBe(CANARY);
  await rm(dir, { recursive: true });
  const [one, two] = await Promise.all([opened(), opened()]);
  await one.put('a', Buffer.from(CANARY));
  expect((await two.get('a'))?.toString()).toBe(CANARY);
});

it('refuses an object in the place of another, and a file that nobody sealed', async () => {
  await store.put('t1/a', Buffer.from(CANARY));
  await rename(join(dir, 't1/a~'), join(dir, 't1/b~'));
  await expect(store.get('t1/b')).rejects.toMatchObject({ name: 'ObjectStoreError' });
  await writeFile(join(dir, 't1/c~'), CANARY);
  await expect(store.get('t1/c')).rejects.toMatchObject({ name: 'ObjectStoreError' });
});

it('refuses an object of which any byte was changed, and one cut short', async () => {
  await store.put('a', Buffer.from(CANARY));
  const file = join(dir, 'a~');
  const sealed = await readFile(file);
  await fc.assert(
    fc.asyncProperty(fc.nat(sealed.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ flip;
      await writeFile(file, changed);
      await expect(store.get('a')).rejects.toMatchObject({ name: 'ObjectStoreError' });
    }),
    { numRuns: 200 },
  );
  for (const length of [0, 5, 9, 12, 40, sealed.length - 1]) {
    await writeFile(file, sealed.subarray(0, length));
    await expect(store.get('a')).rejects.toMatchObject({ name: 'ObjectStoreError' });
  }
});

it('lists its own key under no name', async () => {
  await store.put('a', Buffer.from('x'));
  expect(await store.list('', { limit: 10 })).toEqual(['a']);
  expect(await readdir(dir)).toContain('~key');
});

it('replaces no locked object that cannot be read, whatever it was; one that is gone is put back', async () => {
  const file = join(dir, 'a~');
  await store.put('a', Buffer.from(CANARY), { retainUntil: new Date(Date.now() + 60_000) });
  const sealed = await readFile(file);
  const damaged = Buffer.from(sealed).fill(0, 40, 60);
  await writeFile(file, damaged);
  for (const body of [CANARY, 'something else'])
    await expect(store.put('a', Buffer.from(body))).rejects.toMatchObject({ name: 'ObjectStoreError' });
  expect(await readFile(file)).toEqual(damaged);
  await rm(file);
  await store.put('a', Buffer.from(CANARY));
  expect((await store.get('a'))?.toString()).toBe(CANARY);
});
