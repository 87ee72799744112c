import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { PgBossQueue, type QueuedJob } from '@waxell/infra';
import { BullMqQueue } from '@waxell/infra/redis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { errors, type QueueBackend } from './queue-backends.js';

/** What holds of the queue, whichever it is: to be called where its tests belong. */
export function queueContract(start: () => Promise<QueueBackend>): void {
  let backend: QueueBackend;
  let queue: PgBossQueue | BullMqQueue;
  let stopped = false;
  let name: string;
  let count = 0;

  beforeAll(async () => {
    backend = await start();
  });
  afterAll(() => (stopped ? undefined : backend.stop()));
  beforeEach(() => {
    const own = backend.open();
    queue = own;
    name = `q${++count}`;
    errors.length = 0;
    return () => own.close();
  });

  const jobOf = (tenantId: string, id: string): QueuedJob => ({ tenantId, id });

  /** A handler that takes note of what it is given, and keeps it until it is let go. */
  function gate() {
    const seen: string[] = [];
    const open = Promise.withResolvers<void>();
    const handler = async (job: QueuedJob) => {
      seen.push(`${job.tenantId}/${job.id}`);
      await open.promise;
    };
    return { seen, open: () => open.resolve(), handler };
  }

  async function until(condition: () => boolean, limitMs = 5_000): Promise<number> {
    const begin = Date.now();
    while (!condition()) {
      if (Date.now() - begin > limitMs) throw new Error(`not within ${limitMs} ms: ${condition.toString()}`);
      await sleep(10);
    }
    return Date.now() - begin;
  }

  it('gives a job to a waiting consumer within half a second, ids and nothing else', async () => {
    const jobs: QueuedJob[] = [];
    await queue.consume(name, { concurrency: 1 }, (job) => Promise.resolve(void jobs.push(job)));
    const producer = backend.open();
    await producer.healthy();
    await producer.enqueue(name, { tenantId: 't1', id: 'warm-up' });
    await until(() => jobs.length === 1);
    await producer.enqueue(name, { tenantId: 't1', id: 'r1' });
    expect(await until(() => jobs.length === 2)).toBeLessThan(500);
    await producer.close();
    expect(jobs[1]).toEqual({ tenantId: 't1', id: 'r1' });
  });

  it("takes one tenant's jobs out, waiting ones and those to be tried again, and leaves the others", async () => {
    const failed: string[] = [];
    const failing = await queue.consume(name, { concurrency: 1 }, ({ id }) => {
      failed.push(id);
      return Promise.reject(new Error('not now'));
    });
    await queue.enqueue(name, jobOf('t1', 'fails'));
    await until(() => failed.length > 0);
    await failing.close();
    // Ids that begin like the other's are not the other's.
    for (const tenant of ['t1', 't10'])
      for (const id of ['a', 'b', 'c']) await queue.enqueue(name, jobOf(tenant, id));
    expect(await queue.removeTenant(name, 't1')).toBe(0);
    expect(await queue.removeTenant(name, 't1')).toBe(0);
    const seen: string[] = [];
    await queue.consume(name, { concurrency: 1 }, ({ tenantId, id }) =>
      Promise.resolve(void seen.push(`${tenantId}/${id}`)),
    );
    await until(() => seen.length === 3);
    await sleep(3_000);
    expect(seen.toSorted()).toEqual(['t10/a', 't10/b', 't10/c']);
    await queue.enqueue(name, jobOf('t1', 'again'));
    await until(() => seen.length === 4);
  });

  it('ignores a second enqueue while the job is waiting, and while it is at work', async () => {
    await queue.enqueue(name, jobOf('t1', 'r1'));
    await queue.enqueue(name, jobOf('t1', 'r1'));
    const { seen, open, handler } = gate();
    await queue.consume(name, { concurrency: 4 }, handler);
    await until(() => seen.length === 1);
    await queue.enqueue(name, jobOf('t1', 'r1'));
    await sleep(600);
    open();
    await sleep(600);
    expect(seen).toEqual(['t1/r1']);
  });

  it('takes a finished job again, and keeps equal ids of two tenants apart', async () => {
    const { seen, open, handler } = gate();
    open();
    await queue.consume(name, { concurrency: 2 }, handler);
    await queue.enqueue(name, jobOf('t1', 'r1'));
    await until(() => seen.length === 1);
    await sleep(200);
    await queue.enqueue(name, jobOf('t1', 'r1'));
    await queue.enqueue(name, jobOf('t2', 'r1'));
    await until(() => seen.length === 3);
    expect(seen.sort()).toEqual(['t1/r1', 't1/r1', 't2/r1']);
  });

  it('does as many jobs at a time as it is told', async () => {
    for (let n = 0; n < 6; n++) await queue.enqueue(name, jobOf('t1', `r${n}`));
    const { seen, open, handler } = gate();
    await queue.consume(name, { concurrency: 3 }, handler);
    await until(() => seen.length === 3);
    await sleep(600);
    expect(seen).toHaveLength(3);
    open();
    await until(() => seen.length === 6);
    expect(new Set(seen).size).toBe(6);
  });

  it('gives every tenant its turn, however many jobs a neighbour has', async () => {
    for (let n = 0; n < 50; n++) await queue.enqueue(name, jobOf('loud', `r${n}`));
    await queue.enqueue(name, jobOf('quiet', 'r1'));
    await queue.enqueue(name, jobOf('modest', 'r1'));
    const { seen, open, handler } = gate();
    open();
    await queue.consume(name, { concurrency: 1 }, handler);
    await until(() => seen.length === 52, 10_000);
    expect(seen.indexOf('quiet/r1')).toBeLessThan(4);
    expect(seen.indexOf('modest/r1')).toBeLessThan(4);
  });

  it('tries a failing job again after a pause, drops it after the last try, and takes it anew', async () => {
    const times: number[] = [];
    await queue.consume(name, { concurrency: 1 }, () => {
      times.push(Date.now());
      return Promise.reject(new Error('no luck'));
    });
    await queue.enqueue(name, jobOf('t1', 'r1'));
    await until(() => times.length === 3, 15_000);
    const [first = 0, second = 0] = times;
    expect(second - first).toBeGreaterThan(400);
    await sleep(3_000);
    expect(times).toHaveLength(3);
    expect(errors.map((error) => error.message)).toContain('no luck');
    await queue.enqueue(name, jobOf('t1', 'r1'));
    await until(() => times.length === 4);
  }, 30_000);

  it('waits for the jobs at work when closed, and takes no other', async () => {
    const { seen, open, handler } = gate();
    const consumer = await queue.consume(name, { concurrency: 1 }, handler);
    await queue.enqueue(name, jobOf('t1', 'r1'));
    await until(() => seen.length === 1);
    let closed = false;
    const closing = consumer.close().then(() => (closed = true));
    await queue.enqueue(name, jobOf('t1', 'r2'));
    await sleep(600);
    expect(closed).toBe(false);
    open();
    await closing;
    await sleep(300);
    expect(seen).toEqual(['t1/r1']);
  });

  it('aborts what takes longer than its bound, and another consumer does it', async () => {
    const signals: AbortSignal[] = [];
    const consumer = await queue.consume(name, { concurrency: 1, drainMs: 200 }, (_, signal) => {
      signals.push(signal);
      return new Promise((_, reject) =>
        signal.addEventListener('abort', () => reject(new Error('told to stop'))),
      );
    });
    await queue.enqueue(name, jobOf('t1', 'r1'));
    await until(() => signals.length === 1);
    const begin = Date.now();
    await consumer.close();
    expect(Date.now() - begin).toBeLessThan(2_500);
    expect(signals[0]?.aborted).toBe(true);
    const { seen, open, handler } = gate();
    open();
    await queue.consume(name, { concurrency: 1 }, handler);
    await until(() => seen.length === 1, 10_000);
    expect(seen).toEqual(['t1/r1']);
  }, 20_000);

  // Both wait for leases to end: at the same time, each with a queue of its own.
  describe.concurrent('a lease', () => {
    it('that a killed process had ends, and another gets its job', async () => {
      const own = backend.open();
      const name = 'killed';
      const support = fileURLToPath(new URL('../support', import.meta.url));
      const args = ['--import', join(support, 'source-hooks.mjs'), join(support, 'queue-consumer.ts')];
      const child = spawn(process.execPath, [...args, backend.kind, backend.where, name], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const took = once(child.stdout, 'data');
      await own.enqueue(name, jobOf('t1', 'r1'));
      await took;
      child.kill('SIGKILL');
      const { seen, open, handler } = gate();
      open();
      await own.consume(name, { concurrency: 1 }, handler);
      await until(() => seen.length === 1, 45_000);
      expect(seen).toEqual(['t1/r1']);
      await own.close();
    }, 60_000);

    it('is kept by the consumer that does a job which takes longer', async () => {
      const [own, other] = [backend.open(), backend.open()];
      const { seen, open, handler } = gate();
      for (const one of [own, other]) await one.consume('kept', { concurrency: 1 }, handler);
      await own.enqueue('kept', jobOf('t1', 'r1'));
      await sleep(18_000);
      open();
      await Promise.all([own.close(), other.close()]);
      expect(seen).toEqual(['t1/r1']);
    }, 60_000);
  });

  it('refuses names and ids that would be code elsewhere', async () => {
    await expect(queue.enqueue(`x'; drop`, jobOf('t1', 'r1'))).rejects.toThrow('Not a queue name');
    await expect(queue.enqueue(name, jobOf('t1/r2', 'r1'))).rejects.toThrow('Not an id');
    await expect(queue.enqueue(name, jobOf('', 'r1'))).rejects.toThrow('Not an id');
  });

  // The last one: it takes the server away.
  it('is healthy with its server; without it it is not, and enqueue fails within seconds', async () => {
    expect(await queue.healthy()).toBe(true);
    await queue.enqueue(name, jobOf('t1', 'r1'));
    await backend.stop();
    stopped = true;
    expect(await queue.healthy()).toBe(false);
    const begin = Date.now();
    await expect(queue.enqueue(name, jobOf('t1', 'r2'))).rejects.toThrow(Error);
    expect(Date.now() - begin).toBeLessThan(6_000);
  }, 20_000);
}
