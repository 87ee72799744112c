import { connect } from 'node:net';
import type { RateLimitsDto } from '../../src/limits/limits.dto.js';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { TcpRelay } from '../fakes/tcp-relay.js';
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
    const env = { REDIS_URL, TRUSTED_PROXIES: '1', WORKER: 'separate', LOG_LEVEL: 'warn' };
    first = await startApplication({ env });
    second = await startApplication({
      home: first.home,
      env: { ...env, ...(await besideEmbedded(first.home)) },
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
      await vi.waitFor(async () =>
        expect((await api.get('/v1/me')).headers.get('ratelimit-policy')).toContain(announced),
      );
  }

  async function admitted(tenant: TestTenant, each: number): Promise<number> {
    const [one, other] = inBoth(tenant) as [Client, Client];
    const answers = await Promise.all(
      Array.from({ length: each }, () => [one.get('/v1/me'), other.get('/v1/me')]).flat(),
    );
    return answers.filter(({ status }) => status === 200).length;
  }

  it('admit together what one would, and the limit of another organisation is its own', async () => {
    const begin = performance.now();
    await limit(acme, { perSecond: 1, burst: 40 });
    const admittedOnes = await admitted(acme, 60);
    const seconds = (performance.now() - begin) / 1_000;
    // A lease is two tokens here, and 1.5 of them may stand in each process.
    expect(admittedOnes).toBeLessThanOrEqual(40 + seconds + 1.5 * 2 * 2);
    expect(admittedOnes).toBeGreaterThanOrEqual(20);
    expect(await admitted(globex, 20)).toBe(40);
  });

  it('both hear of a changed limit without being started anew', async () => {
    await limit(acme, { perSecond: 10_000, burst: 10_000 });
    await vi.waitFor(async () => expect(await admitted(acme, 20)).toBe(40));
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
    relay.cut();
    await limit(acme, { perSecond: 1, burst: 10 });
    expect(await admitted(globex, 10)).toBe(20);
    await admitted(acme, 20);
    expect(await admitted(acme, 20)).toBeLessThan(40);
    await relay.mend();
    const said = (text: string): number[] => [first, second].map((app) => app.logs().split(text).length - 1);
    await vi.waitFor(() => expect(said('Redis is back')).toEqual([1, 1]), { timeout: 30_000 });
    expect(said('Redis is lost')).toEqual([1, 1]);
    const begin = performance.now();
    await limit(globex, { perSecond: 1, burst: 40 });
    const admittedOnes = await admitted(globex, 60);
    expect(admittedOnes).toBeLessThanOrEqual(40 + (performance.now() - begin) / 1_000 + 1.5 * 2 * 2);
  });
});
