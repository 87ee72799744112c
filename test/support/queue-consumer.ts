// A process that takes one job and never finishes it, for tests that kill it.
import { BullMqQueue } from '../../libs/infra/src/queue/bullmq-queue.js';
import { PgBossQueue, type PgBossQueueOptions } from '../../libs/infra/src/queue/pg-boss-queue.js';

const [kind, where, queue] = process.argv.slice(2);
if (where === undefined || queue === undefined) throw new Error('usage: queue-consumer.ts KIND WHERE QUEUE');
const onError = (error: Error) => process.stderr.write(`${error.message}\n`);
const tuning = { leaseSeconds: 10, onError };

function open(where: string): PgBossQueue | BullMqQueue {
  if (kind === 'redis') return new BullMqQueue({ ...tuning, redisUrl: where, prefix: 'test' });
  const options: Pick<PgBossQueueOptions, 'connection' | 'schema'> = JSON.parse(where);
  return new PgBossQueue({ ...tuning, ...options });
}

await open(where).consume(queue, { concurrency: 1 }, async (job) => {
  process.stdout.write(`took ${job.id}\n`);
  await new Promise(() => undefined);
});
