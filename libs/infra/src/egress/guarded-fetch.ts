import { lookup as systemLookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { Agent, buildConnector, fetch as undiciFetch } from 'undici';
import type { AddressPolicy } from './address-policy.js';
import { EgressError, findCause } from './egress-error.js';
import { observedBody } from './observed-body.js';

/** What official model clients accept as their `fetch`. */
export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

export interface GuardedFetchOptions {
  readonly policy: Pick<AddressPolicy, 'permits'>;
  readonly connectTimeoutMs?: number;
  /** Time until the response's headers are complete. */
  readonly headersTimeoutMs?: number;
  /** Time between two chunks of the response's body. */
  readonly bodyTimeoutMs?: number;
  /** Bytes of one response, as sent and again as decompressed. */
  readonly maxResponseBytes?: number;
  /** Another resolver than the system's. Its answers are checked like any other's. */
  readonly lookup?: LookupFunction;
}

/**
 * A `fetch` for addresses that somebody else chose. The address is checked when the connection is made, on what the
 * name resolved to for this very connection, so that a name which changes its mind between check and use (DNS
 * rebinding) gains nothing; and again on the connected socket before a byte of the request leaves. Redirects are errors:
 * following one would send a request, and its key, where nobody checked.
 */
export class GuardedFetch {
  private readonly agent: Agent;
  private readonly policy: Pick<AddressPolicy, 'permits'>;
  private readonly maxResponseBytes: number;

  constructor(options: GuardedFetchOptions) {
    this.policy = options.policy;
    this.maxResponseBytes = options.maxResponseBytes ?? 64 * 1_048_576;
    this.agent = new Agent({
      connect: this.connector(options.lookup ?? systemLookup, options.connectTimeoutMs ?? 10_000),
      headersTimeout: options.headersTimeoutMs ?? 120_000,
      bodyTimeout: options.bodyTimeoutMs ?? 120_000,
      maxResponseSize: this.maxResponseBytes,
      // One request per connection at a time, so that no server can answer another's request.
      pipelining: 1,
      allowH2: false,
    });
  }

  /** Takes a URL and a body of text or bytes, which is all that its users send. Rejects with an `EgressError` if refused. */
  readonly fetch: Fetch = async (input, init = {}) => {
    if (input instanceof Request) throw new TypeError('GuardedFetch takes a URL, not a Request');
    const { body } = init;
    if (body != null && typeof body !== 'string' && !(body instanceof Uint8Array)) {
      throw new TypeError('GuardedFetch takes a body of text or bytes');
    }
    const url = this.checkUrl(input);
    const response = await undiciFetch(url, {
      method: init.method ?? 'GET',
      headers: [...new Headers(init.headers)],
      ...(body != null && { body }),
      signal: init.signal ?? null,
      redirect: 'manual',
      dispatcher: this.agent,
    }).catch((error: unknown) => {
      throw findCause(error, EgressError) ?? error;
    });
    if (response.status >= 300 && response.status < 400) {
      await response.body?.cancel();
      throw new EgressError(
        'ENDPOINT_FORBIDDEN',
        `The endpoint ${url.host} answered with a redirect (HTTP ${response.status}), and redirects are not followed. Use the address that it leads to.`,
      );
    }
    const { status, statusText } = response;
    return new Response(response.body && this.bounded(response.body), {
      status,
      statusText,
      headers: [...response.headers],
    });
  };

  /** Ends all connections. */
  async close(): Promise<void> {
    await this.agent.destroy();
  }

  private checkUrl(input: string | URL): URL {
    const url = URL.canParse(input.toString()) ? new URL(input) : undefined;
    if (!url) throw new EgressError('ENDPOINT_FORBIDDEN', 'The endpoint is not a valid URL.');
    if (url.protocol !== 'https:' && url.protocol !== 'http:') {
      throw new EgressError('ENDPOINT_FORBIDDEN', 'The endpoint must be an http or https URL.');
    }
    if (url.username !== '' || url.password !== '') {
      throw new EgressError('ENDPOINT_FORBIDDEN', 'The endpoint must not carry a user name or password.');
    }
    // An address in the URL is never looked up, so the resolver below would not see it.
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
    if (isIP(host) !== 0 && !this.policy.permits(host)) throw forbidden(url.host);
    return url;
  }

  private bounded(body: Parameters<typeof observedBody>[0]) {
    let bytes = 0;
    return observedBody(body, {
      onChunk: (chunk) => {
        bytes += chunk.length;
        if (bytes > this.maxResponseBytes) {
          throw new EgressError(
            'RESPONSE_TOO_LARGE',
            `The response is larger than ${this.maxResponseBytes} bytes.`,
          );
        }
      },
    });
  }

  private connector(resolve: LookupFunction, timeout: number): buildConnector.connector {
    const lookup: LookupFunction = (hostname, options, callback) => {
      // All answers, in whichever form the caller wants them: one forbidden address spoils the name.
      resolve(hostname, { ...options, all: true }, (error, found, family) => {
        if (error) return callback(error, '');
        const addresses =
          typeof found === 'string' ? [{ address: found, family: family ?? isIP(found) }] : found;
        const [first] = addresses;
        if (!first || !addresses.every(({ address }) => this.policy.permits(address))) {
          return callback(forbidden(hostname), '');
        }
        if (options.all) callback(null, addresses);
        else callback(null, first.address, first.family);
      });
    };
    const connect = buildConnector({ timeout, lookup, allowH2: false });
    return (options, callback) => {
      connect(options, (...result) => {
        const [error, socket] = result;
        if (error === null && !this.policy.permits(socket.remoteAddress ?? '')) {
          socket.destroy();
          callback(forbidden(options.hostname), null);
        } else callback(...result);
      });
    };
  }
}

function forbidden(host: string): EgressError {
  return new EgressError(
    'ENDPOINT_FORBIDDEN',
    `The endpoint ${host} is not allowed: its address is not public.`,
  );
}
