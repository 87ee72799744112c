import { expect, it } from 'vitest';
import { RunningJobs } from './running-jobs.js';

const job = { tenantId: 't1', id: 'r1' };

it('waits for a job that ends in time, without aborting it', async () => {
  const running = new RunningJobs();
  let aborted = true;
  const done = running.run(job, async (_, signal) => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    aborted = signal.aborted;
  });
  await running.drain(1_000);
  await done;
  expect(aborted).toBe(false);
  expect(running.size).toBe(0);
});

it('aborts a job that exceeds the bound', async () => {
  const running = new RunningJobs();
  const done = running.run(job, (_, signal) => {
    return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
  });
  const outcome = done.catch((error: unknown) => error);
  await running.drain(10);
  expect(await outcome).toEqual(new Error('The job was aborted'));
});

it('reports a handler that throws before its first await', async () => {
  const failing = () => {
    throw new Error('at once');
  };
  await expect(new RunningJobs().run(job, failing)).rejects.toThrow('at once');
});
