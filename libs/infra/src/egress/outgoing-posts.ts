import { AddressPolicy, type Cidr } from './address-policy.js';
import { GuardedFetch } from './guarded-fetch.js';

const ANSWER_WITHIN_MS = 15_000;
const CONNECT_WITHIN_MS = 5_000;
/** More than any receiver has to say; what is longer is read no further. */
const MAX_ANSWER_BYTES = 1_048_576;
const SHOWN_CHARACTERS = 65_536;

export interface OutgoingPostsOptions {
  /** Blocks that may be sent to although they are not public. */
  readonly allowPrivate?: readonly Cidr[];
  readonly answerWithinMs?: number;
}

/** Posts to addresses that tenants chose: guarded, bounded in time and in what is read of the answer. */
export class OutgoingPosts {
  private readonly guarded: GuardedFetch;
  private readonly answerWithinMs: number;

  constructor({ allowPrivate = [], answerWithinMs = ANSWER_WITHIN_MS }: OutgoingPostsOptions = {}) {
    this.answerWithinMs = answerWithinMs;
    this.guarded = new GuardedFetch({
      policy: new AddressPolicy({ allowLoopback: false, allowPrivate }),
      connectTimeoutMs: CONNECT_WITHIN_MS,
      headersTimeoutMs: answerWithinMs,
      bodyTimeoutMs: answerWithinMs,
      maxResponseBytes: MAX_ANSWER_BYTES,
    });
  }

  async post(request: {
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: Buffer;
    readonly withinMs?: number;
  }): Promise<{ status: number; retryAfter: string | undefined; text: string }> {
    const response = await this.guarded.fetch(request.url, {
      method: 'POST',
      headers: { 'user-agent': 'Waxell', ...request.headers },
      body: new Uint8Array(request.body),
      signal: AbortSignal.timeout(request.withinMs ?? this.answerWithinMs),
    });
    const text = (await response.text()).slice(0, SHOWN_CHARACTERS);
    return { status: response.status, retryAfter: response.headers.get('retry-after') ?? undefined, text };
  }

  /** Ends all connections. */
  close(): Promise<void> {
    return this.guarded.close();
  }
}
