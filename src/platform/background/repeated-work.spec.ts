import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { RepeatedWork } from './repeated-work.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('pauses between the end of a round and the next, also where a round fails, and tells of that', async () => {
  const begun: number[] = [];
  const failed: unknown[] = [];
  const work = new RepeatedWork(
    async () => {
      begun.push(Date.now() % 100_000);
      await new Promise((resolve) => setTimeout(resolve, 30));
      if (begun.length === 2) throw new Error('no');
    },
    100,
    (error) => failed.push(error),
  );
  const start = Date.now() % 100_000;
  work.start(10);
  await vi.advanceTimersByTimeAsync(300);
  expect(begun.map((at) => at - start)).toEqual([10, 140, 270]);
  expect(failed).toEqual([new Error('no')]);
});

it('is done at once when asked; asked while at work, once more right after, never two at a time', async () => {
  let rounds = 0;
  let atWork = 0;
  let most = 0;
  const work = new RepeatedWork(
    async () => {
      rounds += 1;
      atWork += 1;
      most = Math.max(most, atWork);
      await new Promise((resolve) => setTimeout(resolve, 20));
      atWork -= 1;
    },
    1_000,
    () => undefined,
  );
  work.start();
  work.now();
  await vi.advanceTimersByTimeAsync(5);
  expect(rounds).toBe(1);
  for (let time = 0; time < 3; time += 1) {
    work.now();
    await vi.advanceTimersByTimeAsync(1);
  }
  await vi.advanceTimersByTimeAsync(200);
  expect(rounds).toBeGreaterThan(1);
  expect(most).toBe(1);
  const before = rounds;
  await vi.advanceTimersByTimeAsync(1_000);
  expect(rounds).toBe(before + 1);
});

it('stops: the round at work is told and waited for, and none follows; what failed of it is nobody’s concern', async () => {
  let rounds = 0;
  const failed: unknown[] = [];
  const work = new RepeatedWork(
    (stopping) => {
      rounds += 1;
      return new Promise((_resolve, reject) =>
        stopping.addEventListener('abort', () => setTimeout(() => reject(new Error('stopped')), 50)),
      );
    },
    10,
    (error) => failed.push(error),
  );
  work.start(0);
  await vi.advanceTimersByTimeAsync(5);
  let ended = false;
  const stop = work.stop().then(() => (ended = true));
  await vi.advanceTimersByTimeAsync(20);
  expect(ended).toBe(false);
  await vi.advanceTimersByTimeAsync(40);
  await stop;
  work.now();
  await vi.advanceTimersByTimeAsync(100);
  expect({ rounds, failed }).toEqual({ rounds: 1, failed: [] });
});
