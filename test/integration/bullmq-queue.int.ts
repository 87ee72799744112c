import { describe } from 'vitest';
import { redisBackend } from '../support/queue-backends.js';
import { queueContract } from '../support/queue-contract.js';
import { startRedis, type TestRedis } from '../support/redis.js';

const redis = await startRedis();
if (!redis) {
  process.stdout.write(
    'SKIPPED: BullMqQueue against Redis: no redis-server here and none can be installed\n',
  );
}

describe.skipIf(!redis)('BullMqQueue', () => {
  queueContract(() => redisBackend(redis as TestRedis));
});
