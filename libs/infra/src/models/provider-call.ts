import { ModelCallError } from '@waxell/runtime';
import { EgressError, findCause } from '../egress/egress-error.js';
import type { Fetch } from '../egress/guarded-fetch.js';
import { observedBody } from '../egress/observed-body.js';

/** One place where models answer, and what a call to it may use. */
export interface ModelEndpoint {
  /** Leave out for the provider's public endpoint. */
  readonly baseUrl?: string | undefined;
  /** For calls that bring no key of their own. Only ever set for an endpoint that the operator chose. */
  readonly apiKey?: string | undefined;
  readonly fetch: Fetch;
  /** Longest time without a byte from the model. Default: 60 s. */
  readonly idleTimeoutMs?: number | undefined;
  /** Further attempts when an endpoint is busy or broken, before any text has come. Default: 2. */
  readonly maxRetries?: number | undefined;
}

export const DEFAULT_IDLE_TIMEOUT_MS = 60_000;
export const DEFAULT_MAX_RETRIES = 2;

/** Given to the official clients, which refuse to work without a key; `ProviderCall` puts the real one in its place. */
export const PLACEHOLDER_KEY = 'set-by-provider-call';

/**
 * All that a client may send by itself. The clients also take headers, organisation ids and credentials from
 * environment variables and files of the worker (`OPENAI_CUSTOM_HEADERS`, `ANTHROPIC_PROFILE`, ...): none of that may
 * reach an endpoint that a tenant chose.
 */
const ALLOWED_HEADERS = ['accept', 'content-type', 'user-agent', 'anthropic-version'];

/**
 * One model call through an official client: puts in the key, watches that bytes keep coming, and turns whatever the
 * client throws into a `ModelCallError` that is safe to show.
 */
export class ProviderCall {
  private readonly stop = new AbortController();
  private readonly idleTimeoutMs: number;
  private idleTimer: NodeJS.Timeout | undefined;
  private answering = false;

  constructor(
    private readonly endpoint: ModelEndpoint,
    private readonly apiKey: string | undefined,
    private readonly outer: AbortSignal,
  ) {
    // Here, because `Headers` would refuse it with an error that quotes the key, and that would be logged.
    if (apiKey !== undefined && !/^[\x21-\x7e]+$/.test(apiKey)) {
      throw new ModelCallError(
        'MODEL_REFUSED',
        'The API key contains characters that no key has. Enter it again.',
      );
    }
    this.idleTimeoutMs = endpoint.idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS;
    if (outer.aborted) this.onOuterAbort();
    else outer.addEventListener('abort', this.onOuterAbort, { once: true });
  }

  get signal(): AbortSignal {
    return this.stop.signal;
  }

  /** Use in place of `fetch`, for this call only. */
  readonly fetch: Fetch = async (input, init = {}) => {
    const given = new Headers(init.headers);
    const headers = new Headers();
    for (const name of ALLOWED_HEADERS) {
      const value = given.get(name);
      if (value !== null) headers.set(name, value);
    }
    if (this.apiKey !== undefined) headers.set('authorization', `Bearer ${this.apiKey}`);
    this.await();
    try {
      const response = await this.endpoint.fetch(input, { ...init, headers });
      this.answering ||= response.ok;
      if (!response.body) return response;
      const body = observedBody(response.body, {
        onWait: this.await,
        onChunk: this.rest,
        onClose: this.rest,
      });
      return new Response(body, {
        status: response.status,
        statusText: response.statusText,
        headers: response.headers,
      });
    } catch (error) {
      const refused = findCause(error, EgressError);
      // Aborted, because a client would try again, and what is forbidden now is forbidden in a second.
      if (refused)
        this.stop.abort(new ModelCallError('ENDPOINT_FORBIDDEN', refused.message, { cause: error }));
      throw error;
    } finally {
      this.rest();
    }
  };

  /** What to throw instead of what the client threw. */
  failure(error: unknown): unknown {
    if (this.signal.aborted) return this.signal.reason;
    if (error instanceof ModelCallError) return error;
    const refused = findCause(error, EgressError);
    if (refused) return new ModelCallError('MODEL_STREAM_CUT', refused.message, { cause: error });
    const status = statusOf(error);
    if (status !== undefined) return refusal(status, error);
    return this.answering
      ? new ModelCallError('MODEL_STREAM_CUT', 'The connection to the model was lost during its answer.', {
          cause: error,
        })
      : new ModelCallError('MODEL_UNAVAILABLE', 'The model provider cannot be reached.', { cause: error });
  }

  /** Ends the call and everything that belongs to it. */
  close(): void {
    this.rest();
    this.outer.removeEventListener('abort', this.onOuterAbort);
    this.stop.abort();
  }

  private readonly onOuterAbort = () => this.stop.abort(this.outer.reason);

  /** Runs only while we wait for the network, not while a slow reader makes the network wait for us. */
  private readonly await = () => {
    this.rest();
    this.idleTimer = setTimeout(() => {
      const message = `The model sent nothing for ${this.idleTimeoutMs / 1_000} seconds.`;
      this.stop.abort(new ModelCallError('MODEL_TIMEOUT', message));
    }, this.idleTimeoutMs);
  };

  private readonly rest = () => clearTimeout(this.idleTimer);
}

/** Both official clients put an HTTP error's status on their error. */
function statusOf(error: unknown): number | undefined {
  return error instanceof Error && 'status' in error && typeof error.status === 'number'
    ? error.status
    : undefined;
}

function refusal(status: number, cause: unknown): ModelCallError {
  const reason = reasonOf(cause);
  const answered = `The model provider answered with HTTP ${status}${reason === undefined ? '' : ` (${reason})`}.`;
  if (status >= 500 || status === 408 || status === 429) {
    return new ModelCallError('MODEL_UNAVAILABLE', answered, { cause });
  }
  const hint = status === 401 || status === 403 ? ' Check the API key.' : '';
  return new ModelCallError('MODEL_REFUSED', `${answered}${hint}`, { cause });
}

/**
 * The provider's own word for what is wrong, such as `model_not_found`. Only if it looks like one: the endpoint may be
 * a tenant's, and real messages repeat parts of keys.
 */
function reasonOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const words = [
    'code' in error ? error.code : undefined,
    'errorCode' in error ? error.errorCode : undefined,
    'type' in error ? error.type : undefined,
  ];
  return words.find((word): word is string => typeof word === 'string' && /^[a-z_]{1,64}$/.test(word));
}
