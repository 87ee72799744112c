import { expect, it } from 'vitest';
import { jobKey, requireQueueName } from './job-queue.js';

it('makes one key of tenant and id that no other pair shares', () => {
  expect(jobKey({ tenantId: 't1', id: 'r1' })).toBe('t1/r1');
  expect(() => jobKey({ tenantId: 't1/r', id: '1' })).toThrow('Not an id');
});

it.each(['', "x' or '1'='1", 'Runs', '-runs', 'a:b', 'x'.repeat(51)])('refuses the queue name %j', (name) => {
  expect(() => requireQueueName(name)).toThrow('Not a queue name');
});
