import { expect, it } from 'vitest';
import { FairTurns } from './fair-turns.js';

/** Waiting jobs in order of arrival. */
function turnsOver(waiting: { tenantId: string }[]) {
  return new FairTurns((except) => {
    const index = waiting.findIndex((job) => !except.includes(job.tenantId));
    return Promise.resolve(index < 0 ? null : (waiting.splice(index, 1)[0] ?? null));
  });
}

async function order(turns: FairTurns<{ tenantId: string }>): Promise<string[]> {
  const served: string[] = [];
  for (let taken = await turns.next(); taken; taken = await turns.next()) served.push(taken.tenantId);
  return served;
}

it('goes round the tenants that have jobs waiting', async () => {
  const waiting = ['a', 'a', 'a', 'b', 'b', 'c'].map((tenantId) => ({ tenantId }));
  expect(await order(turnsOver(waiting))).toEqual(['a', 'b', 'c', 'a', 'b', 'a']);
});

it('gives one tenant every turn while nobody else waits', async () => {
  const waiting = ['a', 'a', 'a'].map((tenantId) => ({ tenantId }));
  expect(await order(turnsOver(waiting))).toEqual(['a', 'a', 'a']);
});

it('serves somebody who arrives in the middle of a round within that round', async () => {
  const waiting = ['a', 'a', 'a'].map((tenantId) => ({ tenantId }));
  const turns = turnsOver(waiting);
  await turns.next();
  waiting.push({ tenantId: 'late' });
  expect(await turns.next()).toEqual({ tenantId: 'late' });
});
