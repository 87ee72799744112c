import { chmod, mkdtemp, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { LocalKms } from './local-kms.js';

let home: string;
const context = { tenant: 't1' };

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'waxell-kms-'));
});
afterEach(async () => {
  vi.useRealTimers();
  await rm(home, { recursive: true });
});

it('keeps keys over a restart, readable by their owner only', async () => {
  const first = await LocalKms.open({ home });
  const key = await first.createTenantKey('t1');
  const { plaintext, wrapped } = await first.generateDataKey(key, context);
  const second = await LocalKms.open({ home });
  expect(await second.decrypt(key, wrapped, context)).toEqual(plaintext);
  for (const file of ['master.key', `kms/${key}.json`]) {
    expect((await stat(join(home, file))).mode & 0o777).toBe(0o600);
  }
  expect((await stat(join(home, 'kms'))).mode & 0o777).toBe(0o700);
});

it('agrees on one master key when many processes start at once', async () => {
  const all = await Promise.all(Array.from({ length: 8 }, () => LocalKms.open({ home })));
  const [one] = all;
  if (!one) throw new Error('none opened');
  const key = await one.createTenantKey('t1');
  const { plaintext, wrapped } = await one.generateDataKey(key, context);
  for (const other of all) expect(await other.decrypt(key, wrapped, context)).toEqual(plaintext);
  expect((await readdir(home)).sort()).toEqual(['kms', 'master.key']);
});

it.each([0o640, 0o604, 0o660])('refuses a master key that others can read (mode %o)', async (mode) => {
  await LocalKms.open({ home });
  await chmod(join(home, 'master.key'), mode);
  await expect(LocalKms.open({ home })).rejects.toThrow('can be read by other users');
});

it.each([0, 31, 33])('refuses a master key of %i bytes', async (length) => {
  await LocalKms.open({ home });
  await truncate(join(home, 'master.key'), length);
  await expect(LocalKms.open({ home })).rejects.toThrow('is not a master key');
});

it('stores no key in the clear, and none that opens under another master key', async () => {
  const kms = await LocalKms.open({ home });
  const key = await kms.createTenantKey('t1');
  const { wrapped } = await kms.generateDataKey(key, context);
  await rm(join(home, 'master.key'));
  const stranger = await LocalKms.open({ home });
  await expect(stranger.decrypt(key, wrapped, context)).rejects.toMatchObject({ code: 'access_denied' });
});

it('refuses key material that was moved to another key', async () => {
  const kms = await LocalKms.open({ home });
  const [mine, theirs] = [await kms.createTenantKey('t1'), await kms.createTenantKey('t2')];
  const file = (key: string) => join(home, 'kms', `${key}.json`);
  await rename(file(theirs), file(mine));
  await expect(kms.generateDataKey(mine, context)).rejects.toMatchObject({ code: 'access_denied' });
  const relabelled = (await readFile(file(mine), 'utf8')).replace(theirs, mine);
  await writeFile(file(mine), relabelled);
  await expect(kms.generateDataKey(mine, context)).rejects.toMatchObject({ code: 'access_denied' });
});

it('destroys a key whose waiting time is over', async () => {
  const kms = await LocalKms.open({ home });
  const key = await kms.createTenantKey('t1');
  await kms.scheduleKeyDeletion(key, 7);
  vi.useFakeTimers({ now: Date.now() + 7 * 86_400_000 + 1, toFake: ['Date'] });
  await expect(kms.cancelKeyDeletion(key)).rejects.toMatchObject({ code: 'key_not_found' });
  expect(await readdir(join(home, 'kms'))).toEqual([]);
});

it('destroys condemned keys whose days are over when it is opened, and no others', async () => {
  const first = await LocalKms.open({ home });
  const [due, waiting, living] = [
    await first.createTenantKey('t1'),
    await first.createTenantKey('t2'),
    await first.createTenantKey('t3'),
  ];
  await first.scheduleKeyDeletion(due, 7);
  await first.scheduleKeyDeletion(waiting, 30);
  vi.useFakeTimers({ now: Date.now() + 8 * 86_400_000, toFake: ['Date'] });
  await LocalKms.open({ home });
  expect((await readdir(join(home, 'kms'))).toSorted()).toEqual(
    [`${waiting}.json`, `${living}.json`].toSorted(),
  );
});
