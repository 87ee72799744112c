import { mkdtemp, readdir, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { HomeInUse, lockHome } from './home-lock.js';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'waxell-lock-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

it('refuses a second holder, names the folder and the process that has it', async () => {
  const lock = await lockHome(join(root, 'home'));
  const second = lockHome(join(root, 'home'));
  await expect(second).rejects.toBeInstanceOf(HomeInUse);
  await expect(second).rejects.toThrow(`${lock.dir} is in use by process ${process.pid}`);
  await lock.release();
});

it('refuses a second holder that comes by a symbolic link', async () => {
  const lock = await lockHome(join(root, 'home'));
  await symlink(join(root, 'home'), join(root, 'other-name'));
  await expect(lockHome(join(root, 'other-name'))).rejects.toBeInstanceOf(HomeInUse);
  await lock.release();
});

it('lets exactly one of many contenders in', async () => {
  const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => lockHome(join(root, 'home'))));
  const locks = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  expect(locks).toHaveLength(1);
  await Promise.all(locks.map((lock) => lock.release()));
});

it('can be taken again after its release, which may be repeated', async () => {
  const first = await lockHome(join(root, 'home'));
  await first.release();
  await first.release();
  const second = await lockHome(join(root, 'home'));
  expect(second.dir).toBe(first.dir);
  await second.release();
});

it('does not confuse two folders, and keeps others from reading a folder it creates', async () => {
  const one = await lockHome(join(root, 'one'));
  const two = await lockHome(join(root, 'two'));
  expect((await stat(one.dir)).mode & 0o066).toBe(0);
  await Promise.all([one.release(), two.release()]);
  expect(await readdir(two.dir)).toEqual([]);
});
