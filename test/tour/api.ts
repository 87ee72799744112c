/** An answer of the API, read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The parsed body; `undefined` where it is none. */
  readonly body: unknown;
}

/** A caller of the API with its credential. */
export class Caller {
  readonly #baseUrl: string;
  readonly #identity: Record<string, string>;

  constructor(baseUrl: string, credential?: string, tenantSlug?: string) {
    this.#baseUrl = baseUrl;
    this.#identity = {
      ...(credential !== undefined && { Authorization: `Bearer ${credential}` }),
      ...(tenantSlug !== undefined && { 'X-Tenant-Slug': tenantSlug }),
    };
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.send('GET', path, undefined, headers);
  }

  post(path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return this.send('POST', path, body, headers);
  }

  async send(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const response = await fetch(`${this.#baseUrl}${path}`, {
      method,
      headers: {
        ...this.#identity,
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(20_000),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, body: parsed(text) };
  }

  /** The events of a stream (WHATWG HTML, section 9.2), as they come. */
  async *events(path: string): AsyncGenerator<{ id: string; type: string; data: unknown }> {
    const response = await fetch(`${this.#baseUrl}${path}`, {
      headers: { ...this.#identity, Accept: 'text/event-stream' },
      signal: AbortSignal.timeout(40_000),
    });
    if (!response.ok || !response.body) throw new Error(`The stream was refused: ${await response.text()}`);
    let pending = '';
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      const blocks = (pending + chunk).split('\n\n');
      pending = blocks.pop() ?? '';
      for (const block of blocks) {
        if (block.startsWith(':')) continue;
        const field = (name: string): string => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? '';
        yield { id: field('id'), type: field('event'), data: JSON.parse(field('data')) };
      }
    }
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
