import { connect } from 'node:net';
import type { RateLimitsDto } from '../../src/limits/limits.dto.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TcpRelay } from '../fakes/tcp-relay.js';
import { eventually } from '../support/eventually.js';
import { startApplication, type Application } from '../support/application.js';
import { client, must, type Client } from '../support/client.js';
import { besideEmbedded } from '../support/embedded-database.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import { createTenant, type TestTenant } from '../support/tenants.js';

const redis: TestRedis | null = await startRedis();
if (!redis) {
  process.stderr.write(
    'SKIPPED: two processes on one Redis: no redis-server here and none can be installed\n',
  );
}

describe.skipIf(!redis)('two processes that share a database and a Redis', () => {
  let relay: TcpRelay;
  let first: Application;
  let second: Application;
  let operator: Client;
  let acme: TestTenant;
  let globex: TestTenant;

  beforeAll(async () => {
    relay = await TcpRelay.to(Number(new URL(redis?.url ?? '').port));
    const REDIS_URL = `redis://127.0.0.1:${relay.port}`;
    const env = { REDIS_URL, TRUSTED_PROXIES: '1', WORKER: 'separate', DATABASE_POOL: '4' };
    first = await startApplication({ env });
    second = await startApplication({
      home: first.home,
      env: { ...env, ...(await besideEmbedded(first.home, `${REDIS_URL}/1`)) },
    });
    operator = client(first.baseUrl, first.firstRun.operatorKey);
    acme = await createTenant(first);
    globex = await createTenant(first);
  });
  afterAll(async () => {
    await second?.stop();
    await first?.dispose();
    relay?.cut();
    await redis?.stop();
  });

  const inBoth = ({ apiKey }: TestTenant): Client[] =>
    [first, second].map(({ baseUrl }) => client(baseUrl, apiKey));

  /** Sets a limit, and waits until both processes announce it. */
  async function limit(tenant: TestTenant, requests: { perSecond: number; burst: number }): Promise<void> {
    const path = `/v1/tenants/${tenant.id}/rate-limits`;
    await must(operator.put<RateLimitsDto>(path, { requests, signIns: null }), 200);
    const announced = `"tenant";q=${requests.burst};`;
    for (const api of inBoth(tenant))
      await eventually(
        async () => expect((await api.get('/v1/me')).headers.get('ratelimit-policy')).toContain(announced),
        30_000,
      );
  }

  async function admitted(tenant: TestTenant, each: number): Promise<number> {
    const [one, other] = inBoth(tenant) as [Client, Client];
    const answers = await Promise.all(
      Array.from({ length: each }, () => [one.get('/v1/me'), other.get('/v1/me')]).flat(),
    );
    return answers.filter(({ status }) => status === 200).length;
  }

  const said = (text: string): number[] => [first, second].map((app) => app.logs().split(text).length - 1);

  /** What a fresh organisation with 40 requests and one a second gets out of both processes, and in how many seconds. */
  async function shared(): Promise<{ requests: number; seconds: number }> {
    const lostBefore = said('Redis is lost');
    const tenant = await createTenant(first);
    const begin = performance.now();
    await limit(tenant, { perSecond: 1, burst: 40 });
    const requests = await admitted(tenant, 60);
    const seconds = (performance.now() - begin) / 1_000;
    // A machine that stood still long enough looks like a lost Redis: then it was not shared, and says nothing.
    return said('Redis is lost').join() === lostBefore.join() ? { requests, seconds } : shared();
  }
  /** A lease of such a limit is one token, and each process may hold 1.5 of them. */
  const LEASES = 1.5 * 2;

  it('admit together what one would, and the limit of another organisation is its own', async () => {
    const { requests, seconds } = await shared();
    expect(requests).toBeLessThanOrEqual(40 + seconds + LEASES);
    expect(requests).toBeGreaterThanOrEqual(20);
    expect(await admitted(globex, 20)).toBe(40);
  });

  it('both hear of a changed limit without being started anew', async () => {
    await limit(acme, { perSecond: 10_000, burst: 10_000 });
    await eventually(async () => expect(await admitted(acme, 20)).toBe(40), 30_000);
  });

  it('keep no address in Redis', async () => {
    await client(first.baseUrl).get('/healthz', { 'x-forwarded-for': '203.0.113.99' });
    const port = Number(new URL(redis?.url ?? '').port);
    const keys = await new Promise<string>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => socket.write('KEYS waxell:limits:*\r\n'));
      socket.once('data', (data) => {
        resolve(data.toString());
        socket.destroy();
      });
      socket.once('error', reject);
    });
    expect(keys).not.toContain('203.0.113');
    expect(keys).not.toContain(acme.id);
  });

  it('answer as before when Redis is lost, say so once, and count together again when it is back', async () => {
    const before = said('Redis is lost');
    relay.cut();
    await limit(acme, { perSecond: 1, burst: 10 });
    expect(await admitted(globex, 10)).toBe(20);
    await admitted(acme, 20);
    expect(await admitted(acme, 20)).toBeLessThan(40);
    expect(said('Redis is lost')).toEqual(before.map((times) => times + 1));
    await relay.mend();
    await eventually(async () => expect(said('Redis is back')).toEqual(said('Redis is lost')), 30_000);
    const { requests, seconds } = await shared();
    expect(requests).toBeLessThanOrEqual(40 + seconds + LEASES);
  });
});
