import { Client } from 'pg';
import { PgBoss } from 'pg-boss';
import {
  asError,
  DEFAULTS,
  jobKey,
  requireQueueName,
  RETRY_DELAY_LIMIT_SECONDS,
  type ConsumeOptions,
  type JobConsumer,
  type JobHandler,
  type QueuedJob,
  type QueueTuning,
} from './job-queue.js';
import { PgBossConsumer } from './pg-boss-consumer.js';

export interface PgBossQueueOptions extends QueueTuning {
  readonly connection: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly password: string;
    readonly database: string;
    readonly ssl?: boolean | object;
  };
  /**
   * No other process uses this queue, or could: what is found in it at the first use was left by a process that is gone,
   * and is dropped, so that nobody waits for its leases to end. Whoever enqueues knows what is to be done and does it again.
   */
  readonly onlyProcess?: boolean;
  /** Where pg-boss keeps its tables. The login has to own it; or, when it is missing, be allowed to create it. */
  readonly schema: string;
}

/** The queue that needs nothing but PostgreSQL. Connects at its first use. */
export class PgBossQueue {
  readonly #options: PgBossQueueOptions;
  readonly #leaseSeconds: number;
  readonly #queues = new Map<string, Promise<void>>();
  readonly #consumers = new Map<PgBossConsumer, string>();
  #starting: Promise<PgBoss> | undefined;
  #closed = false;
  #ending = false;

  constructor(options: PgBossQueueOptions) {
    this.#options = options;
    this.#leaseSeconds = options.leaseSeconds ?? DEFAULTS.leaseSeconds;
  }

  /** A no-op while a job of the same tenant and id is waiting or at work. */
  async enqueue(queue: string, job: QueuedJob): Promise<void> {
    const singletonKey = jobKey(job);
    const boss = await this.#prepared(queue);
    const data = { tenantId: job.tenantId, id: job.id };
    await boss.send(queue, data, { singletonKey, group: { id: job.tenantId } });
    for (const [consumer, name] of this.#consumers) if (name === queue) consumer.wake();
  }

  async consume(queue: string, options: ConsumeOptions, handler: JobHandler): Promise<JobConsumer> {
    const boss = await this.#prepared(queue);
    const consumer = new PgBossConsumer(boss, handler, {
      queue,
      concurrency: options.concurrency,
      drainMs: options.drainMs ?? DEFAULTS.drainMs,
      leaseSeconds: this.#leaseSeconds,
      onError: this.#options.onError,
    });
    this.#consumers.set(consumer, queue);
    return {
      close: async () => {
        await consumer.close();
        this.#consumers.delete(consumer);
      },
    };
  }

  /** Takes a tenant's jobs out, finished ones too. Those at work are told to stop at their next sign of life; answers 0. */
  async removeTenant(queue: string, tenantId: string): Promise<number> {
    const boss = await this.#prepared(queue);
    // pg-boss deletes by its own ids only. The schema was checked when pg-boss started; the values are parameters.
    const text = `delete from "${this.#options.schema}".job where name = $1 and data->>'tenantId' = $2`;
    await boss.getDb().executeSql(text, [queue, tenantId]);
    return 0;
  }

  async healthy(): Promise<boolean> {
    try {
      const boss = await this.#start();
      await boss.getDb().executeSql('select 1');
      return true;
    } catch {
      return false;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#consumers.keys()].map((consumer) => consumer.close()));
    if (!this.#starting) return;
    const boss = await this.#starting.catch(() => null);
    this.#ending = true;
    await boss?.stop({ graceful: false });
  }

  #start(): Promise<PgBoss> {
    if (this.#closed) return Promise.reject(new Error('The queue is closed'));
    return (this.#starting ??= this.#connect().catch((cause: unknown) => {
      // The next call tries again.
      this.#starting = undefined;
      throw cause;
    }));
  }

  async #connect(): Promise<PgBoss> {
    const { connection, schema, onError } = this.#options;
    const maintenanceSeconds = Math.max(5, Math.floor(this.#leaseSeconds / 2));
    const boss = new PgBoss({
      ...connection,
      schema,
      // CREATE SCHEMA IF NOT EXISTS asks for the right to create schemas even where the schema exists.
      createSchema: !(await this.#schemaExists()),
      application_name: 'waxell-queue',
      connectionTimeoutMillis: 5_000,
      max: 5,
      schedule: false,
      // Finds the jobs of consumers that died. One process does it per interval, however many there are.
      superviseIntervalSeconds: maintenanceSeconds,
      monitorIntervalSeconds: maintenanceSeconds,
      maintenanceIntervalSeconds: 3_600,
    });
    boss.on('error', (error) => {
      // Its pool forgets connections before they are closed: that the server closes them first is no news.
      if (!this.#ending) onError(asError(error));
    });
    try {
      await boss.start();
    } catch (cause) {
      await boss.stop({ graceful: false });
      throw cause;
    }
    return boss;
  }

  async #schemaExists(): Promise<boolean> {
    const client = new Client({ ...this.#options.connection, connectionTimeoutMillis: 5_000 });
    await client.connect();
    try {
      const found = await client.query('select 1 from pg_namespace where nspname = $1', [
        this.#options.schema,
      ]);
      return found.rowCount === 1;
    } finally {
      await client.end();
    }
  }

  async #prepared(queue: string): Promise<PgBoss> {
    requireQueueName(queue);
    const boss = await this.#start();
    let created = this.#queues.get(queue);
    if (!created) {
      created = this.#createQueue(boss, queue);
      this.#queues.set(queue, created);
      created.catch(() => this.#queues.delete(queue));
    }
    await created;
    return boss;
  }

  async #createQueue(boss: PgBoss, queue: string): Promise<void> {
    const options = {
      retryLimit: this.#options.retries ?? DEFAULTS.retries,
      retryDelay: this.#options.retryDelaySeconds ?? DEFAULTS.retryDelaySeconds,
      retryBackoff: true,
      retryDelayMax: RETRY_DELAY_LIMIT_SECONDS,
      heartbeatSeconds: this.#leaseSeconds,
      // The heartbeat tells the dead from the slow; this is pg-boss's own bound on a job, and may not be off.
      expireInSeconds: 23 * 3_600,
      deleteAfterSeconds: 3_600,
    };
    // "exclusive": one job per key that is waiting, to be retried, or at work.
    await boss.createQueue(queue, { ...options, policy: 'exclusive' });
    // createQueue leaves an existing queue as it was.
    await boss.updateQueue(queue, options);
    if (this.#options.onlyProcess) await boss.deleteAllJobs(queue);
  }
}
