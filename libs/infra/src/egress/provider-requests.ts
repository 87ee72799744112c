import { AddressPolicy, type Cidr } from './address-policy.js';
import { GuardedFetch } from './guarded-fetch.js';

const ANSWER_WITHIN_MS = 10_000;
const CONNECT_WITHIN_MS = 5_000;
const MAX_ANSWER_BYTES = 1_048_576;

export interface ProviderRequestsOptions {
  /** Blocks that may be asked although they are not public. */
  readonly allowPrivate?: readonly Cidr[];
  readonly answerWithinMs?: number;
}

/** Asks identity providers that tenants chose: guarded, bounded in time and in what is read of the answer. */
export class ProviderRequests {
  private readonly guarded: GuardedFetch;
  private readonly answerWithinMs: number;

  constructor({ allowPrivate = [], answerWithinMs = ANSWER_WITHIN_MS }: ProviderRequestsOptions = {}) {
    this.answerWithinMs = answerWithinMs;
    this.guarded = new GuardedFetch({
      policy: new AddressPolicy({ allowLoopback: false, allowPrivate }),
      connectTimeoutMs: CONNECT_WITHIN_MS,
      headersTimeoutMs: answerWithinMs,
      bodyTimeoutMs: answerWithinMs,
      maxResponseBytes: MAX_ANSWER_BYTES,
    });
  }

  fetch(
    url: string,
    request: {
      readonly method?: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
      readonly signal?: AbortSignal;
    } = {},
  ): Promise<Response> {
    const { method, headers, body, signal } = request;
    const limit = AbortSignal.timeout(this.answerWithinMs);
    return this.guarded.fetch(url, {
      headers: { 'user-agent': 'Waxell', ...headers },
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
      ...(method !== undefined && { method }),
      ...(body !== undefined && { body }),
    });
  }

  /** Ends all connections. */
  close(): Promise<void> {
    return this.guarded.close();
  }
}
