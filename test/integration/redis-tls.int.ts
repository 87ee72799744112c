import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BullMqQueue } from '@waxell/infra/redis';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readEnvironment } from '../../src/platform/config/index.js';
import { clientTls, redisFiles } from '../../src/platform/tls/index.js';
import { place, TestAuthority, type KeyPair } from '../support/certificates.js';
import { eventually } from '../support/eventually.js';
import { startRedis } from '../support/redis.js';

const authority = await TestAuthority.create();
const successor = await TestAuthority.create('Successor');
const dir = await mkdtemp(join(tmpdir(), 'waxell-tls-redis-'));
const file = (name: string): string => join(dir, name);
const server = await authority.issue({ commonName: 'redis', usage: 'server', hosts: ['localhost'] });
await place(dir, {
  'ca.crt': authority.ca,
  'next-ca.crt': successor.ca,
  'server.crt': server.cert,
  'server.key': server.key,
});

const redis = await startRedis({
  'tls-cert-file': file('server.crt'),
  'tls-key-file': file('server.key'),
  'tls-ca-cert-file': file('ca.crt'),
  'tls-auth-clients': 'yes',
});
if (!redis) process.stderr.write('SKIPPED: Redis over TLS: no redis-server here and none can be installed\n');

describe.skipIf(!redis)('a Redis that demands TLS and a certificate', () => {
  const url = redis?.url ?? '';
  const FILES = {
    REDIS_TLS_CA_FILE: file('ca.crt'),
    REDIS_TLS_CERT_FILE: file('client.crt'),
    REDIS_TLS_KEY_FILE: file('client.key'),
  };
  const open: BullMqQueue[] = [];

  beforeAll(async () => present(await authority.issue({ commonName: 'waxell', usage: 'client' })));
  afterEach(async () => {
    await Promise.all(open.splice(0).map((queue) => queue.close()));
  });
  afterAll(async () => {
    await redis?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const present = ({ cert, key }: KeyPair): Promise<void> =>
    place(dir, { 'client.crt': cert, 'client.key': key });

  /** A queue as the environment makes it. */
  function queueOf(variables: Record<string, string>, redisUrl = url): BullMqQueue {
    const files = redisFiles(readEnvironment({ REDIS_URL: redisUrl, ...variables }));
    const tls = files && clientTls(files);
    const queue = new BullMqQueue({ redisUrl, tls, prefix: 'tls', onError: () => undefined });
    open.push(queue);
    return queue;
  }

  it('carries jobs, to consumers as well, which have connections of their own', async () => {
    const queue = queueOf(FILES);
    expect(await queue.healthy()).toBe(true);
    const { promise, resolve } = Promise.withResolvers<string>();
    await queue.consume('jobs', { concurrency: 1 }, ({ tenantId, id }) => {
      resolve(`${tenantId}/${id}`);
      return Promise.resolve();
    });
    await queue.enqueue('jobs', { tenantId: 't1', id: 'r1' });
    expect(await promise).toBe('t1/r1');
  });

  it('is not reached without a certificate, nor believed when its own is of another authority or host', async () => {
    expect(await queueOf({ REDIS_TLS_CA_FILE: file('ca.crt') }).healthy()).toBe(false);
    expect(await queueOf({ ...FILES, REDIS_TLS_CA_FILE: file('next-ca.crt') }).healthy()).toBe(false);
    expect(await queueOf(FILES, url.replace('localhost', '127.0.0.1')).healthy()).toBe(false);
    expect(await queueOf({}).healthy()).toBe(false);
  });

  it('is shown a replaced certificate when a connection is made again, without a restart', async () => {
    const queue = queueOf(FILES);
    expect(await queue.healthy()).toBe(true);
    const operator = new Redis(url, { tls: clientTls(filesOf(FILES)) });
    // From now on it believes certificates of the successor alone, and forgets whom it believed.
    await operator.config('SET', 'tls-ca-cert-file', file('next-ca.crt'));
    await operator.client('KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await eventually(async () => expect(await queue.healthy()).toBe(false), 30_000);
    await present(await successor.issue({ commonName: 'waxell', usage: 'client' }));
    await eventually(async () => expect(await queue.healthy()).toBe(true), 30_000);
    await operator.config('SET', 'tls-ca-cert-file', file('ca.crt'));
    operator.disconnect();
  });
});

describe('what the environment says of Redis', () => {
  it.each([
    [
      'a certificate without its key',
      { REDIS_URL: 'rediss://r.invalid', REDIS_TLS_CERT_FILE: '/x' },
      'come together',
    ],
    [
      'files for a connection without TLS',
      { REDIS_URL: 'redis://r.invalid', REDIS_TLS_CA_FILE: '/x' },
      'need rediss://',
    ],
    [
      'a file that is not there',
      { REDIS_URL: 'rediss://r.invalid', REDIS_TLS_CA_FILE: '/x' },
      'REDIS_TLS_CA_FILE: ',
    ],
  ])('is refused: %s', (_what, variables, message) => {
    expect(() => redisFiles(readEnvironment(variables))).toThrow(message);
  });
});

function filesOf(variables: Record<string, string>): NonNullable<ReturnType<typeof redisFiles>> {
  const files = redisFiles(readEnvironment({ REDIS_URL: 'rediss://localhost', ...variables }));
  if (!files) throw new Error('There are no files.');
  return files;
}
