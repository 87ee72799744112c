import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Turns } from './turns.js';

const full = (): Error => new Error('full');

it('does the work of one key piece by piece, in order, whatever comes of each', async () => {
  const turns = new Turns(10);
  const seen: string[] = [];
  const piece = (name: string, fails = false) =>
    turns.take('a', full, async () => {
      seen.push(`${name} begins`);
      await turn();
      seen.push(`${name} ends`);
      if (fails) throw new Error(name);
    });
  await Promise.allSettled([piece('1'), piece('2', true), piece('3')]);
  expect(seen).toEqual(['1 begins', '1 ends', '2 begins', '2 ends', '3 begins', '3 ends']);
});

it('does the work of different keys at the same time', async () => {
  const turns = new Turns(10);
  let release = (): void => undefined;
  const held = turns.take('a', full, () => new Promise<void>((resolve) => (release = resolve)));
  expect(await turns.take('b', full, () => Promise.resolve('done'))).toBe('done');
  release();
  await held;
});

it('refuses what would wait behind too many, and forgets a key when its work is done', async () => {
  const turns = new Turns(2);
  const work = (): Promise<string> => turn('done');
  const outcomes = await Promise.allSettled([1, 2, 3].map(() => turns.take('a', full, work)));
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
  expect(await turns.take('a', full, work)).toBe('done');
});
