import { Queue, Worker } from 'bullmq';
import { Redis, type RedisOptions } from 'ioredis';
import {
  asError,
  DEFAULTS,
  jobKey,
  QueueUnavailable,
  requireQueueName,
  RETRY_DELAY_LIMIT_SECONDS,
  type ConsumeOptions,
  type JobConsumer,
  type JobHandler,
  type QueuedJob,
  type QueueTuning,
} from './job-queue.js';
import { RunningJobs } from './running-jobs.js';

export interface BullMqQueueOptions extends QueueTuning {
  /** redis:// or rediss:// (TLS). Redis 7 or newer, with `maxmemory-policy noeviction`. */
  readonly redisUrl: string;
  /** Begins every key, so that several installations can share one Redis. */
  readonly prefix: string;
}

/** A request that enqueues waits no longer than this for a Redis that is away. */
const CONNECT_LIMIT_MS = 2_000;
const COMMAND_LIMIT_MS = 5_000;
/** BullMQ's own bound. */
const PRIORITY_LIMIT = 2_097_151;
/** A tenant's backlog that nobody touches is forgotten, should its bookkeeping ever leak. */
const BACKLOG_TTL_SECONDS = 86_400;

/** The queue that scales out. Connects at its first use. */
export class BullMqQueue {
  readonly #options: BullMqQueueOptions;
  readonly #producer: Redis;
  readonly #queues = new Map<string, Queue<QueuedJob>>();
  readonly #consumers = new Set<JobConsumer>();
  #connecting: Promise<void> | undefined;
  #closed = false;

  constructor(options: BullMqQueueOptions) {
    this.#options = options;
    this.#producer = this.#connection({
      // Fails at once instead of holding requests until Redis is back: the caller has PostgreSQL to fall back on.
      enableOfflineQueue: false,
      maxRetriesPerRequest: 1,
      commandTimeout: COMMAND_LIMIT_MS,
    });
  }

  /** A no-op while a job of the same tenant and id is waiting or at work. */
  async enqueue(queue: string, job: QueuedJob): Promise<void> {
    requireQueueName(queue);
    const key = jobKey(job);
    await this.#connected();
    const target = this.#queue(queue);
    try {
      const position = await this.#recordWaiting(queue, job);
      // Finished jobs are removed, so the id is free again; until then BullMQ ignores a second one.
      await target.add('job', { tenantId: job.tenantId, id: job.id }, { jobId: key, priority: position });
    } catch (cause) {
      throw new QueueUnavailable('The queue did not take the job', { cause });
    }
  }

  consume(queue: string, options: ConsumeOptions, handler: JobHandler): Promise<JobConsumer> {
    requireQueueName(queue);
    if (this.#closed) return Promise.reject(new Error('The queue is closed'));
    const { prefix, onError } = this.#options;
    const leaseMs = (this.#options.leaseSeconds ?? DEFAULTS.leaseSeconds) * 1_000;
    const running = new RunningJobs();
    // A worker waits for Redis as long as it takes (BullMQ demands null here).
    const connection = this.#connection({ maxRetriesPerRequest: null });
    const worker = new Worker<QueuedJob>(
      queue,
      async (taken, _token, signal) => {
        const { tenantId, id } = taken.data;
        const controller = new AbortController();
        signal?.addEventListener('abort', () => controller.abort(), { once: true });
        try {
          await running.run({ tenantId, id }, handler, controller);
        } catch (cause) {
          onError(asError(cause));
          // BullMQ stores the message with the job, and the real one may quote a tenant's data.
          throw new Error('The handler failed', { cause });
        }
      },
      {
        connection,
        prefix,
        concurrency: options.concurrency,
        lockDuration: leaseMs,
        stalledInterval: Math.floor(leaseMs / 2),
        // A consumer's death is one more try, not the end of the job.
        maxStalledCount: this.#options.retries ?? DEFAULTS.retries,
        settings: { backoffStrategy: (triesMade) => this.#pauseMs(triesMade) },
      },
    );
    worker.on('error', (error) => onError(asError(error)));
    worker.on('completed', (job) => this.#recordDone(queue, job.data));
    worker.on('failed', (job) => {
      const tries = job?.opts.attempts ?? 1;
      if (job && (job.attemptsMade >= tries || job.finishedOn !== undefined))
        this.#recordDone(queue, job.data);
    });
    worker.on('lockRenewalFailed', (jobIds) =>
      onError(new Error(`Lost the lease of ${jobIds.length} job(s)`)),
    );
    let closing: Promise<void> | undefined;
    const close = async () => {
      // Not awaited yet: it stops the taking at once, but waits without bound for the jobs at work.
      const closed = worker.close();
      await running.drain(options.drainMs ?? DEFAULTS.drainMs);
      await closed;
      connection.disconnect();
      this.#consumers.delete(consumer);
    };
    const consumer: JobConsumer = { close: () => (closing ??= close()) };
    this.#consumers.add(consumer);
    return Promise.resolve(consumer);
  }

  /** Takes a tenant's jobs out; answers how many are at work, which nobody can take from their worker. */
  async removeTenant(queue: string, tenantId: string): Promise<number> {
    requireQueueName(queue);
    const beginning = jobKey({ tenantId, id: 'x' }).slice(0, -1);
    await this.#connected();
    const jobs = `${this.#options.prefix}:${queue}:`;
    let left = 0;
    try {
      // By their keys: BullMQ itself would read every tenant's jobs.
      for (let cursor = '0', first = true; first || cursor !== '0'; first = false) {
        const pattern = `${globbed(jobs + beginning)}*`;
        const [next, keys] = await this.#producer.scan(cursor, 'MATCH', pattern, 'COUNT', 1_000);
        cursor = next;
        for (const key of keys) {
          const id = key.slice(jobs.length);
          // Its lock and its log stand under the job's key, with a colon.
          if (!id.includes(':') && (await this.#queue(queue).remove(id)) === 0) left += 1;
        }
      }
      await this.#producer.del(this.#backlogKey(queue, tenantId));
    } catch (cause) {
      throw new QueueUnavailable('The queue did not take the jobs out', { cause });
    }
    return left;
  }

  async healthy(): Promise<boolean> {
    try {
      await this.#connected();
      return (await this.#producer.ping()) === 'PONG';
    } catch {
      return false;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#consumers].map((consumer) => consumer.close()));
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
    this.#producer.disconnect();
  }

  #connection(options: RedisOptions): Redis {
    const redis = new Redis(this.#options.redisUrl, {
      ...options,
      lazyConnect: true,
      connectTimeout: CONNECT_LIMIT_MS,
      retryStrategy: (times) => Math.min(times * 100, 2_000),
    });
    redis.on('error', (error) => this.#options.onError(error));
    return redis;
  }

  async #connected(): Promise<void> {
    if (this.#closed) throw new Error('The queue is closed');
    if (this.#producer.status === 'ready') return;
    await (this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined;
    }));
  }

  #connect(): Promise<void> {
    const redis = this.#producer;
    // Its failures come as 'error' events, and it tries again by itself.
    if (redis.status === 'wait') redis.connect().catch(() => undefined);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        redis.off('ready', ready);
        reject(new QueueUnavailable('Redis is not reachable'));
      }, CONNECT_LIMIT_MS);
      const ready = () => {
        clearTimeout(timer);
        resolve();
      };
      redis.once('ready', ready);
    });
  }

  #queue(name: string): Queue<QueuedJob> {
    const known = this.#queues.get(name);
    if (known) return known;
    const queue = new Queue<QueuedJob>(name, {
      connection: this.#producer,
      prefix: this.#options.prefix,
      defaultJobOptions: {
        attempts: (this.#options.retries ?? DEFAULTS.retries) + 1,
        backoff: { type: 'bounded' },
        removeOnComplete: true,
        removeOnFail: true,
        stackTraceLimit: 0,
      },
    });
    queue.on('error', (error) => this.#options.onError(asError(error)));
    this.#queues.set(name, queue);
    return queue;
  }

  #pauseMs(triesMade: number): number {
    const first = this.#options.retryDelaySeconds ?? DEFAULTS.retryDelaySeconds;
    return Math.min(first * 2 ** (triesMade - 1), RETRY_DELAY_LIMIT_SECONDS) * 1_000;
  }

  /**
   * The job's place among those of its own tenant, which is its priority: the first job of every tenant goes before
   * the second of any, so ten thousand jobs of one delay the others by one each. A set, so that a repetition counts once.
   */
  async #recordWaiting(queue: string, job: QueuedJob): Promise<number> {
    const key = this.#backlogKey(queue, job.tenantId);
    const replies = await this.#producer
      .multi()
      .sadd(key, job.id)
      .scard(key)
      .expire(key, BACKLOG_TTL_SECONDS)
      .exec();
    const count = replies?.[1]?.[1];
    return typeof count === 'number' ? Math.min(Math.max(count, 1), PRIORITY_LIMIT) : 1;
  }

  #recordDone(queue: string, job: QueuedJob): void {
    this.#connected()
      .then(() => this.#producer.srem(this.#backlogKey(queue, job.tenantId), job.id))
      .catch((cause: unknown) => this.#options.onError(asError(cause)));
  }

  #backlogKey(queue: string, tenantId: string): string {
    return `${this.#options.prefix}:${queue}:backlog:${tenantId}`;
  }
}

/** Text as it is, in a pattern of Redis. */
function globbed(text: string): string {
  return text.replaceAll(/[\\*?[\]]/g, '\\$&');
}
