import { GuardedFetch } from './guarded-fetch.js';

const WITHIN_MS = 2_000;
/** A padded range has a thousand lines of forty characters. */
const MAX_ANSWER_BYTES = 1_048_576;

/**
 * The ranges of Have I Been Pwned (https://haveibeenpwned.com/API/v3#PwnedPasswords), or of a mirror that speaks alike.
 * The operator names it, so it may be anywhere; redirects are not followed. Padding is asked for, so that the length of an
 * answer does not tell which range it is.
 */
export class HttpBreachRanges {
  private readonly base: string;
  private readonly guarded: GuardedFetch;

  constructor(
    url: string,
    private readonly withinMs = WITHIN_MS,
  ) {
    this.base = url.replace(/\/+$/, '');
    this.guarded = new GuardedFetch({
      policy: { permits: () => true },
      connectTimeoutMs: withinMs,
      headersTimeoutMs: withinMs,
      bodyTimeoutMs: withinMs,
      maxResponseBytes: MAX_ANSWER_BYTES,
    });
  }

  /** Lines of `SUFFIX:COUNT`. Rejects where there is no answer in time. */
  async range(prefix: string): Promise<string> {
    const response = await this.guarded.fetch(`${this.base}/range/${prefix}`, {
      headers: { 'user-agent': 'Waxell', 'add-padding': 'true' },
      signal: AbortSignal.timeout(this.withinMs),
    });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`The range was answered with ${response.status}.`);
    return text;
  }

  close(): Promise<void> {
    return this.guarded.close();
  }
}
