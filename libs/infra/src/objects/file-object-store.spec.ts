import { mkdir, mkdtemp, readdir, rm, rmdir, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FileObjectStore } from './file-object-store.js';

let dir: string;
let store: FileObjectStore;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'waxell-objects-'));
  store = new FileObjectStore({ dir });
});
afterEach(() => rm(dir, { recursive: true }));

it('lets nobody else read objects or their names', async () => {
  await store.put('t1/tiles/1', Buffer.from('x'));
  expect((await stat(join(dir, 't1', 'tiles'))).mode & 0o777).toBe(0o700);
  expect((await stat(join(dir, 't1', 'tiles', '1~'))).mode & 0o777).toBe(0o600);
});

it('shows a reader one whole object or the other while it is replaced', async () => {
  const [one, two] = [Buffer.alloc(200_000, 1), Buffer.alloc(100_000, 2)];
  await store.put('a', one);
  const writing = (async () => {
    for (let n = 0; n < 20; n++) await store.put('a', n % 2 === 0 ? two : one);
  })();
  for (let n = 0; n < 50; n++) {
    const seen = await store.get('a');
    expect(seen?.equals(one) === true || seen?.equals(two) === true).toBe(true);
  }
  await writing;
});

it('leaves no temporary file behind, and lists none of a killed process', async () => {
  await store.put('a', Buffer.from('x'));
  expect(await readdir(join(dir, '~temporary'))).toEqual([]);
  await writeFile(join(dir, '~temporary', '~0123'), 'half');
  await writeFile(join(dir, 'stray'), 'not an object');
  expect(await store.list('', { limit: 10 })).toEqual(['a']);
});

it('removes what a process killed long ago had half written, and nothing that is being written', async () => {
  await mkdir(join(dir, '~temporary'), { recursive: true });
  await writeFile(join(dir, '~temporary', '~old'), 'half');
  await utimes(join(dir, '~temporary', '~old'), new Date(0), new Date(0));
  await writeFile(join(dir, '~temporary', '~new'), 'half');
  await store.put('a', Buffer.from('x'));
  expect(await readdir(join(dir, '~temporary'))).toEqual(['~new']);
});

it('stores an object while its folder vanishes again and again, as where other processes take their last ones away', async () => {
  const over = new AbortController();
  const vanishing = (async () => {
    while (!over.signal.aborted) {
      for (const folder of ['shared/by/many', 'shared/by', 'shared'])
        await rmdir(join(dir, folder)).catch(() => undefined);
    }
  })();
  try {
    for (let time = 0; time < 50; time += 1) {
      await store.put('shared/by/many/1', Buffer.from(`${time}`));
      expect((await store.get('shared/by/many/1'))?.toString()).toBe(`${time}`);
      await store.delete('shared/by/many/1');
    }
  } finally {
    over.abort();
    await vanishing;
  }
});

it('takes folders away with their last object, also while others are put into them', async () => {
  const folders = async () => (await readdir(dir)).filter((name) => name !== '~temporary');
  await store.put('kept/by/1', Buffer.from('x'));
  const restless = Array.from({ length: 4 }, async (_none, who) => {
    for (let time = 0; time < 40; time += 1) {
      await store.put(`shared/by/many/${who}`, Buffer.from(`${time}`));
      expect((await store.get(`shared/by/many/${who}`))?.toString()).toBe(`${time}`);
      await store.delete(`shared/by/many/${who}`);
    }
  });
  await Promise.all(restless);
  expect(await folders()).toEqual(['kept']);
  await store.delete('kept/by/1');
  expect(await folders()).toEqual([]);
});
