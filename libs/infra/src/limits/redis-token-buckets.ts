import { createHmac } from 'node:crypto';
import type { ConnectionOptions } from 'node:tls';
import { Redis } from 'ioredis';
import { LRUCache } from 'lru-cache';
import { Lease } from './lease.js';
import { MemoryTokenBuckets } from './memory-token-buckets.js';
import { RedisHealth } from './redis-health.js';
import { leaseSize, type Quota, type Taken } from './token-bucket.js';

export interface RedisTokenBucketsOptions {
  /** redis:// or rediss:// (TLS). */
  readonly redisUrl: string;
  /** Of `tls.connect`, for rediss://; unset: the system's authorities, no client certificate. */
  readonly tls?: ConnectionOptions | undefined;
  /** Begins every key, so that several installations can share one Redis. */
  readonly prefix: string;
  /** Keys the hashes under which buckets stand in Redis: addresses are personal data. The same for all processes. */
  readonly secret: string;
  /** Told once when Redis is lost, and once when it is back. */
  readonly onHealth: (reachable: boolean, cause?: Error) => void;
  /** Nobody waits longer for an answer; then Redis counts as lost. */
  readonly commandLimitMs?: number;
}

/** Buckets that a process holds leases of, of each name. */
const MAX_LEASES = 50_000;
const COMMAND_LIMIT_MS = 400;
const CONNECT_LIMIT_MS = 1_000;
/** How long the start waits for a Redis that is away; it goes on without. */
const OPEN_LIMIT_MS = 1_500;

/**
 * `withdraw()` of token-bucket.ts, in Redis and by its clock, in microseconds. Atomic, as scripts are. A key is gone as
 * soon as its bucket is full. Answers the tokens granted, those left, and microseconds until the bucket is full.
 */
const WITHDRAW = `
  local time = redis.call('TIME')
  local now = time[1] * 1000000 + time[2]
  local interval = 1000000 / tonumber(ARGV[1])
  local burst = tonumber(ARGV[2])
  local capacity = burst * interval
  local known = (tonumber(redis.call('GET', KEYS[1]) or now) or now) - now
  local owed = math.min(math.max(known, 0), capacity)
  local free = math.floor((capacity - owed) / interval + 0.000001)
  local granted = math.min(tonumber(ARGV[3]), free)
  owed = owed + granted * interval
  if owed ~= known and owed > 0 then
    redis.call('SET', KEYS[1], string.format('%.3f', now + owed), 'PX', math.ceil(owed / 1000))
  end
  return {granted, free - granted, math.ceil(owed)}`;

type Scripted = Redis & {
  withdraw(
    key: string,
    perSecond: number,
    burst: number,
    wanted: number,
  ): Promise<[granted: number, free: number, owedMicros: number]>;
};

/**
 * Token buckets that all processes share. A process takes tokens from Redis a few at a time (a lease) and gives them out
 * by itself, so most requests wait for nothing; a refusal is remembered until there can be a token again, so requests
 * beyond the limit cost Redis nothing either.
 *
 * What is leased has been taken from the bucket before. So in any span of time all processes together admit no more than
 * the bucket gives in that span, and the leases that stood at its beginning: `burst + perSecond * seconds + 1.5 *
 * leaseSize() * processes` requests.
 *
 * Without Redis each process counts by itself, as with `MemoryTokenBuckets`, and asks for nothing until Redis answers
 * again.
 */
export class RedisTokenBuckets {
  readonly #redis: Scripted;
  readonly #options: RedisTokenBucketsOptions;
  readonly #health: RedisHealth;
  readonly #alone = new MemoryTokenBuckets();
  readonly #leases = new Map<string, LRUCache<string, Lease>>();

  constructor(options: RedisTokenBucketsOptions) {
    this.#options = options;
    const redis = new Redis(options.redisUrl, {
      ...(options.tls && { tls: options.tls }),
      lazyConnect: true,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      connectTimeout: CONNECT_LIMIT_MS,
      commandTimeout: options.commandLimitMs ?? COMMAND_LIMIT_MS,
      retryStrategy: (times) => Math.min(times * 100, 1_000),
    });
    redis.defineCommand('withdraw', { numberOfKeys: 1, lua: WITHDRAW });
    this.#redis = redis as Scripted;
    this.#health = new RedisHealth(redis, options.onHealth);
  }

  /** Connects. Never fails: what Redis cannot do yet, the process does by itself. */
  async open(): Promise<void> {
    await this.#health.connect(OPEN_LIMIT_MS);
  }

  /** A token, at once where one is leased or the bucket is known to be empty. Never rejects. */
  take(quota: Quota, key: string): Taken | Promise<Taken> {
    if (!this.#health.reachable()) return this.#alone.take(quota, key);
    const lease = this.#lease(quota, key);
    const now = performance.now();
    const answer = lease.take(now);
    if (!answer) return this.#afterFetch(lease, quota, key);
    // The next tokens are asked for before these are gone, by whoever uses more than one.
    if (answer.allowed && lease.isRunningOut(now)) void this.#fetch(lease);
    return answer;
  }

  close(): Promise<void> {
    this.#health.close();
    return Promise.resolve();
  }

  async #afterFetch(lease: Lease, quota: Quota, key: string): Promise<Taken> {
    lease.waiting += 1;
    try {
      // Each round gives out a token at least, or refuses, or finds Redis lost.
      for (;;) {
        await this.#fetch(lease);
        if (!this.#health.reachable()) return this.#alone.take(quota, key);
        const answer = lease.take(performance.now());
        if (answer) return answer;
      }
    } finally {
      lease.waiting -= 1;
    }
  }

  /** Everybody who waits for the same bucket waits for the same answer. */
  #fetch(lease: Lease): Promise<void> {
    return (lease.fetching ??= this.#refill(lease).finally(() => {
      lease.fetching = undefined;
    }));
  }

  async #refill(lease: Lease): Promise<void> {
    const { quota, hashedKey } = lease;
    try {
      const [granted, free, owedMicros] = await this.#redis.withdraw(
        hashedKey,
        quota.perSecond,
        quota.burst,
        lease.wanted(performance.now()),
      );
      lease.refill(granted, free, owedMicros / 1_000, performance.now());
    } catch (error) {
      this.#health.failed(error);
    }
  }

  #lease(quota: Quota, key: string): Lease {
    const leases = this.#named(quota.name);
    const known = leases.get(key);
    if (known?.isFor(quota)) return known;
    const lease = new Lease(quota, known?.hashedKey ?? this.#hashed(quota, key), leaseSize(quota));
    leases.set(key, lease);
    return lease;
  }

  #hashed({ name }: Quota, key: string): string {
    const hash = createHmac('sha256', this.#options.secret).update(`${name} ${key}`).digest('base64url');
    return `${this.#options.prefix}:${name}:${hash}`;
  }

  #named(name: string): LRUCache<string, Lease> {
    const known = this.#leases.get(name);
    if (known) return known;
    const made = new LRUCache<string, Lease>({ max: MAX_LEASES });
    this.#leases.set(name, made);
    return made;
  }
}
