import { expect, it } from 'vitest';
import { FairShare } from './fair-share.js';

class Full extends Error {}

/** Asks for so many pieces that do not end; answers how many began, and what ends them. */
function flood(share: FairShare, whose: string, times: number) {
  const ends: (() => void)[] = [];
  let refused = 0;
  for (let at = 0; at < times; at += 1)
    share
      .take(
        whose,
        () => new Full(),
        () => new Promise<void>((end) => ends.push(end)),
      )
      .catch(() => (refused += 1));
  return { began: ends.length, end: () => ends.forEach((one) => one()), refused: () => refused };
}

it('one that floods has half of it, and who comes next finds room', async () => {
  const share = new FairShare(64);
  const acme = flood(share, 'acme', 1_000);
  expect(acme.began).toBe(32);
  const others = ['b', 'c', 'd', 'e'].map((whose) => flood(share, whose, 4).began);
  expect(others).toEqual([4, 4, 4, 4]);
  await Promise.resolve();
  expect(acme.refused()).toBe(968);
});

it('two that flood leave room for a third, and no more is at work than may be', () => {
  const share = new FairShare(64);
  let all = flood(share, 'acme', 1_000).began;
  for (let at = 0; at < 100; at += 1) {
    const began = flood(share, `other ${at}`, 1).began;
    all += began;
    if (began === 0) break;
  }
  expect(all).toBe(64);
});

it('what has ended, well or not, is room again', async () => {
  const share = new FairShare(4);
  const first = flood(share, 'acme', 10);
  expect(first.began).toBe(2);
  first.end();
  await new Promise((resolve) => setImmediate(resolve));
  const failing = share.take(
    'acme',
    () => new Full(),
    () => Promise.reject(new Error('fails')),
  );
  await expect(failing).rejects.toThrow('fails');
  expect(flood(share, 'acme', 10).began).toBe(2);
});
