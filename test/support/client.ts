import type { Problem } from '../../src/platform/http/problem.js';
import { OpenApiContract } from './openapi-contract.js';
import { readEventStream, type ReceivedEvent } from './event-reader.js';

export type { ReceivedEvent };

export interface Answer<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly nextCursor?: string;
}

type Named = Readonly<Record<string, string>>;

/** A client of a running application, with a credential or none. Headers are sent with every request. */
export function client(baseUrl: string, key?: string, headers: Named = {}): Client {
  return new Client(baseUrl, { ...(key !== undefined && { authorization: `Bearer ${key}` }), ...headers });
}

/**
 * Sends requests, and holds every answer against the OpenAPI document: a status, content type or member that it does
 * not announce fails the test, whatever the test looks at.
 */
export class Client {
  readonly baseUrl: string;
  readonly #headers: Named;

  constructor(baseUrl: string, headers: Named) {
    this.baseUrl = baseUrl;
    this.#headers = headers;
  }

  /** The same client with further headers. */
  with(headers: Named): Client {
    return new Client(this.baseUrl, { ...this.#headers, ...headers });
  }

  get<T = Problem>(path: string, headers?: Named): Promise<Answer<T>> {
    return this.send('GET', path, { headers });
  }

  post<T = Problem>(path: string, body?: unknown, headers?: Named): Promise<Answer<T>> {
    return this.send('POST', path, { body, headers });
  }

  put<T = Problem>(path: string, body?: unknown, headers?: Named): Promise<Answer<T>> {
    return this.send('PUT', path, { body, headers });
  }

  patch<T = Problem>(path: string, body?: unknown, headers?: Named): Promise<Answer<T>> {
    return this.send('PATCH', path, { body, headers });
  }

  delete<T = Problem>(path: string, headers?: Named): Promise<Answer<T>> {
    return this.send('DELETE', path, { headers });
  }

  async send<T>(
    method: string,
    path: string,
    { body, headers = {} }: { body?: unknown; headers?: Named | undefined } = {},
  ): Promise<Answer<T>> {
    const content = body === undefined ? undefined : JSON.stringify(body);
    return this.sendText<T>(method, path, content, {
      ...(content !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    });
  }

  /** Sends a body as it is, well-formed or not. */
  async sendText<T = Problem>(
    method: string,
    path: string,
    content: string | Buffer | undefined,
    headers: Named = {},
  ): Promise<Answer<T>> {
    const response = await fetch(`${this.baseUrl}${path}`, {
      method,
      headers: { ...this.#headers, ...headers },
      ...(content !== undefined && { body: content }),
      redirect: 'manual',
    });
    const text = await response.text();
    const body = parsed(text);
    const contract = await OpenApiContract.of(this.baseUrl);
    const route = contract.find(method, new URL(`${this.baseUrl}${path}`).pathname);
    if (route) contract.check(route, response.status, response.headers.get('content-type'), body);
    else if (response.status < 400) throw new Error(`${method} ${path} is served but not documented.`);
    else contract.checkProblem(body);
    return { status: response.status, headers: response.headers, body: body as T };
  }

  /** All items of a list, page by page. */
  async all<T>(path: string, limit = 100): Promise<T[]> {
    const items: T[] = [];
    const glue = path.includes('?') ? '&' : '?';
    for (let cursor: string | undefined = ''; cursor !== undefined;) {
      const from = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const page: Page<T> = await must(this.get<Page<T>>(`${path}${glue}limit=${limit}${from}`), 200);
      items.push(...page.items);
      cursor = page.nextCursor;
    }
    return items;
  }

  /** Server-sent events, until the stream ends or the caller stops. */
  events(
    path: string,
    options: { lastEventId?: number; signal?: AbortSignal } = {},
  ): AsyncGenerator<ReceivedEvent, void> {
    const { lastEventId, signal } = options;
    return readEventStream(`${this.baseUrl}${path}`, {
      headers: {
        ...this.#headers,
        ...(lastEventId !== undefined && { 'last-event-id': String(lastEventId) }),
      },
      ...(signal && { signal }),
    });
  }
}

/** The body of an answer that must have this status; else the answer is the error's message. */
export async function must<T>(answer: Promise<Answer<T>>, status: number): Promise<T> {
  const got = await answer;
  if (got.status !== status)
    throw new Error(`Expected ${status}, got ${got.status}: ${JSON.stringify(got.body)}`);
  return got.body;
}

/** Status and problem code of an answer, for tests that look at nothing else. */
export async function refusal(
  answer: Promise<Answer<unknown>>,
): Promise<{ status: number; code: string | undefined }> {
  const { status, body } = await answer;
  return { status, code: (body as Problem | undefined)?.code };
}

function parsed(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
