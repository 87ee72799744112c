/** How many requests are admitted: a bucket of `burst` tokens, into which `perSecond` fall. */
export interface Quota {
  readonly name: string;
  readonly perSecond: number;
  readonly burst: number;
}

export interface Taken {
  readonly allowed: boolean;
  /** Whole tokens left, as far as the process knows. */
  readonly remaining: number;
  /** Until the bucket is full again. */
  readonly fullInMs: number;
  /** Until there is a token again; 0 where there is one. */
  readonly waitMs: number;
}

/**
 * Counts requests. Adapters: in the process's memory, and in Redis for all processes (libs/infra/src/limits). Neither
 * ever rejects: what cannot be counted together is counted alone.
 */
export abstract class TokenBuckets {
  /** A token of the key's bucket. At once where nothing has to be asked, so that requests need not wait. */
  abstract take(quota: Quota, key: string): Taken | Promise<Taken>;
}
