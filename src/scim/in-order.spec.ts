import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { inOrder } from './in-order.js';

async function failing(afterMs: number, message: string): Promise<never> {
  await sleep(afterMs);
  throw new Error(message);
}

it('answers what each has come to', async () => {
  expect(await inOrder([sleep(5, 'a'), undefined, Promise.resolve(3)])).toEqual(['a', undefined, 3]);
});

it('fails as the first in their order has, though a later one has failed sooner', async () => {
  const work = [sleep(1), failing(20, 'there is no group'), failing(1, 'foreign key')] as const;
  await expect(inOrder(work)).rejects.toThrow('there is no group');
});
