import { setTimeout as sleep } from 'node:timers/promises';
import { leaseSize, MemoryTokenBuckets, type Quota, type Taken } from '@waxell/infra';
import { RedisTokenBuckets } from '@waxell/infra/redis';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TcpRelay } from '../fakes/tcp-relay.js';
import { eventually } from '../support/eventually.js';
import { startRedis, type TestRedis } from '../support/redis.js';

type Buckets = MemoryTokenBuckets | RedisTokenBuckets;

const redis: TestRedis | null = await startRedis();
if (!redis) {
  process.stderr.write(
    'SKIPPED: RedisTokenBuckets against Redis: no redis-server here and none can be installed\n',
  );
}
afterAll(() => redis?.stop());

const opened: Buckets[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((buckets) => buckets.close()));
});

const health: boolean[] = [];
/** A machine that stands still for a while is no lost Redis, unless that is what a test is about. */
const PATIENT_MS = 20_000;

async function redisBuckets(
  url: string,
  { prefix = 'test', commandLimitMs = PATIENT_MS } = {},
): Promise<RedisTokenBuckets> {
  const buckets = new RedisTokenBuckets({
    redisUrl: url,
    prefix,
    commandLimitMs,
    secret: 'a secret of this test',
    onHealth: (reachable) => health.push(reachable),
  });
  await buckets.open();
  opened.push(buckets);
  return buckets;
}

function memoryBuckets(): Promise<MemoryTokenBuckets> {
  const buckets = new MemoryTokenBuckets();
  opened.push(buckets);
  return Promise.resolve(buckets);
}

let count = 0;
/** A bucket that nobody has used, into which nothing falls while a test lasts. */
const quota = (burst: number, perSecond = 0.001): Quota => ({ name: `n${++count}`, perSecond, burst });

async function takeAll(buckets: Buckets, of: Quota, key: string, times: number): Promise<Taken[]> {
  return Promise.all(Array.from({ length: times }, async () => buckets.take(of, key)));
}

const allowed = (answers: readonly Taken[]): number => answers.filter((answer) => answer.allowed).length;

const adapters: [string, () => Promise<Buckets>][] = [['MemoryTokenBuckets', memoryBuckets]];
if (redis) adapters.push(['RedisTokenBuckets', () => redisBuckets(redis.url)]);

describe.each(adapters)('%s', (_, open) => {
  it('gives out what the bucket holds, one by one or all at once, and refuses the rest with the time to wait', async () => {
    const buckets = await open();
    const [single, many] = [quota(3), quota(30)];
    const answers: Taken[] = [];
    for (let at = 0; at < 5; at += 1) answers.push(await buckets.take(single, 'a'));
    expect(answers.map((answer) => answer.allowed)).toEqual([true, true, true, false, false]);
    expect(answers.map(({ remaining }) => remaining)).toEqual([2, 1, 0, 0, 0]);
    const waitMs = answers.at(-1)?.waitMs ?? 0;
    expect(waitMs).toBeGreaterThan(900_000);
    expect(waitMs).toBeLessThanOrEqual(1_000_000);
    expect(allowed(await takeAll(buckets, many, 'a', 100))).toBe(30);
  });

  it('keeps keys apart, and names apart', async () => {
    const buckets = await open();
    const [one, other] = [quota(2), quota(2)];
    expect(allowed(await takeAll(buckets, one, 'a', 5))).toBe(2);
    expect(allowed(await takeAll(buckets, one, 'b', 5))).toBe(2);
    expect(allowed(await takeAll(buckets, other, 'a', 5))).toBe(2);
  });

  it('fills again as time passes', async () => {
    const buckets = await open();
    const fast = quota(2, 50);
    expect(allowed(await takeAll(buckets, fast, 'a', 10))).toBeGreaterThanOrEqual(2);
    await eventually(async () => expect((await buckets.take(fast, 'a')).allowed).toBe(true), 30_000);
  });

  it('follows a quota that changes, in both directions', async () => {
    const buckets = await open();
    const narrow = quota(2);
    expect(allowed(await takeAll(buckets, narrow, 'a', 10))).toBe(2);
    const wide = { ...narrow, perSecond: 1_000, burst: 1_000 };
    await eventually(async () => expect(allowed(await takeAll(buckets, wide, 'a', 10))).toBe(10), 30_000);
    const closed = { ...narrow, perSecond: 0.001, burst: 1 };
    expect(allowed(await takeAll(buckets, closed, 'a', 10))).toBeLessThanOrEqual(1);
  });
});

describe.skipIf(!redis)('RedisTokenBuckets', () => {
  const url = redis?.url ?? '';
  const port = Number(new URL(url || 'redis://none:1').port);
  let inspect: Redis;
  let relay: TcpRelay;

  beforeAll(async () => {
    inspect = new Redis(url);
    relay = await TcpRelay.to(port);
  });
  afterAll(() => {
    relay.cut();
    inspect.disconnect();
  });
  afterEach(() => relay.mend());

  async function commandsDuring(work: () => Promise<unknown>): Promise<number> {
    const total = async () =>
      Number(/total_commands_processed:(\d+)/.exec(await inspect.info('stats'))?.[1] ?? 0);
    const before = await total();
    await work();
    // Minus the question itself.
    return (await total()) - before - 1;
  }

  it('admits in all processes together no more than the bucket and their leases, and no less', async () => {
    const processes = await Promise.all([redisBuckets(url), redisBuckets(url)]);
    const shared = quota(200, 200);
    const begin = performance.now();
    let admitted = 0;
    while (performance.now() - begin < 1_000) {
      const answers = await Promise.all(
        [...processes, ...processes].map(async (buckets) => buckets.take(shared, 'a')),
      );
      admitted += allowed(answers);
      await sleep(1);
    }
    const seconds = (performance.now() - begin) / 1_000;
    const leases = 1.5 * leaseSize(shared) * processes.length;
    expect(admitted).toBeLessThanOrEqual(shared.burst + shared.perSecond * seconds + leases);
    expect(admitted).toBeGreaterThanOrEqual(shared.burst);
  });

  it('is exact for a small quota, however many processes ask at once', async () => {
    const processes = await Promise.all([redisBuckets(url), redisBuckets(url), redisBuckets(url)]);
    const small = quota(10);
    const answers = await Promise.all(processes.map((buckets) => takeAll(buckets, small, 'a', 20)));
    expect(allowed(answers.flat())).toBe(10);
  });

  it('asks Redis for few of the requests within the limit, and for none beyond it', async () => {
    const buckets = await redisBuckets(url);
    const busy = quota(2_000, 2_000);
    const within = await commandsDuring(async () => {
      for (let at = 0; at < 1_000; at += 1) expect((await buckets.take(busy, 'a')).allowed).toBe(true);
    });
    // Redis counts what a script does as well: four commands for a lease.
    expect(within / 4).toBeLessThan(1_000 * 0.1);
    const empty = quota(1);
    await takeAll(buckets, empty, 'a', 2);
    const beyond = await commandsDuring(async () => {
      const answers = Array.from({ length: 1_000 }, () => buckets.take(empty, 'a'));
      expect(answers.every((answer) => !(answer instanceof Promise) && !answer.allowed)).toBe(true);
      await Promise.resolve();
    });
    expect(beyond).toBe(0);
  });

  it('puts no address into Redis in the clear, and nothing that stays', async () => {
    const buckets = await redisBuckets(url, { prefix: 'private' });
    const of = quota(10, 1);
    await buckets.take(of, '203.0.113.77');
    await buckets.take(of, '2001:db8:1:2');
    const keys = await inspect.keys('private:*');
    expect(keys).toHaveLength(2);
    for (const key of keys) {
      expect(key).toMatch(/^private:n\d+:[A-Za-z0-9_-]{43}$/);
      const left = await inspect.pttl(key);
      expect(left).toBeGreaterThan(0);
      expect(left).toBeLessThanOrEqual(1_000);
    }
    const another = new RedisTokenBuckets({
      redisUrl: url,
      prefix: 'private',
      secret: 'another secret',
      onHealth: () => undefined,
    });
    opened.push(another);
    await another.open();
    await another.take(of, '203.0.113.77');
    expect(new Set([...keys, ...(await inspect.keys('private:*'))]).size).toBe(3);
  });

  it.each([
    ['its connection is cut', () => relay.cut()],
    ['it answers nothing', () => relay.fallSilent()],
  ])('counts by itself when %s, says so once, and comes back', async (_how, lose) => {
    const buckets = await redisBuckets(`redis://127.0.0.1:${relay.port}`, { commandLimitMs: 300 });
    const shared = quota(5);
    expect(allowed(await takeAll(buckets, shared, 'a', 3))).toBe(3);
    health.length = 0;
    lose();
    // Whatever the lease says, none of these waits longer than the command limit, and none fails.
    const alone = quota(4);
    for (let round = 0; round < 3; round += 1) await takeAll(buckets, alone, 'b', 2);
    expect(allowed(await takeAll(buckets, alone, 'b', 10))).toBe(0);
    await eventually(async () => expect(health).toEqual([false]), 30_000);
    expect(buckets.take(alone, 'b')).not.toBeInstanceOf(Promise);
    await relay.mend();
    await eventually(async () => expect(health).toEqual([false, true]), 30_000);
    // What was taken before the loss is still gone.
    expect(allowed(await takeAll(buckets, shared, 'a', 10))).toBeLessThanOrEqual(2);
  });

  it('answers whoever still waits when it is closed, and whoever comes later', async () => {
    const buckets = await redisBuckets(url);
    const waiting = takeAll(buckets, quota(5), 'a', 100);
    await buckets.close();
    expect(allowed(await waiting)).toBe(5);
    expect(allowed(await takeAll(buckets, quota(5), 'a', 100))).toBe(5);
  });

  it('starts without Redis, and finds it later', async () => {
    relay.cut();
    health.length = 0;
    const buckets = await redisBuckets(`redis://127.0.0.1:${relay.port}`);
    expect(allowed(await takeAll(buckets, quota(3), 'a', 10))).toBe(3);
    await relay.mend();
    await eventually(async () => expect(health).toEqual([false, true]), 30_000);
  });
});
