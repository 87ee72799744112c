import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PgBossQueue } from '@waxell/infra';
import { BullMqQueue } from '@waxell/infra/redis';
import { Client } from 'pg';
import { type TestRedis } from './redis.js';
import { startTestPostgres } from './test-postgres.js';

export interface QueueBackend {
  readonly kind: string;
  /** Where a process of its own finds it. */
  readonly where: string;
  open(): PgBossQueue | BullMqQueue;
  stop(): Promise<void>;
}

const TUNING = { retries: 2, retryDelaySeconds: 1, leaseSeconds: 10 };
/** What the queues of this file have told of. */
export const errors: Error[] = [];
const onError = (error: Error) => errors.push(error);

export async function postgresBackend(): Promise<QueueBackend> {
  const root = await mkdtemp(join(tmpdir(), 'waxell-queue-'));
  await chmod(root, 0o711);
  const postgres = await startTestPostgres(join(root, 'home'));
  // A login that owns its schema and may do nothing else.
  const admin = new Client({ ...postgres.connection });
  await admin.connect();
  await admin.query(
    `create role queue_login login password 'queue'; revoke create on database postgres from public`,
  );
  await admin.query('create schema jobs authorization queue_login');
  await admin.end();
  const connection = { ...postgres.connection, user: 'queue_login', password: 'queue' };
  return {
    kind: 'postgres',
    where: JSON.stringify({ connection, schema: 'jobs' }),
    open: () => new PgBossQueue({ connection, schema: 'jobs', ...TUNING, onError }),
    stop: async () => {
      await postgres.stop();
      await rm(root, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    },
  };
}

export function redisBackend(server: TestRedis): Promise<QueueBackend> {
  return Promise.resolve({
    kind: 'redis',
    where: server.url,
    open: () => new BullMqQueue({ redisUrl: server.url, prefix: 'test', ...TUNING, onError }),
    stop: () => server.stop(),
  });
}
