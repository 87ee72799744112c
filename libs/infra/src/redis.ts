// What works on a Redis, apart from the rest: its client and BullMQ need not be loaded where there is none.
export { BullMqQueue, type BullMqQueueOptions } from './queue/bullmq-queue.js';
export { RedisTokenBuckets, type RedisTokenBucketsOptions } from './limits/redis-token-buckets.js';
