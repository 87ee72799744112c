import type { Json } from './resource.js';

const LONGEST_ANSWER = 2 * 1024 * 1024;

export interface Answer {
  readonly status: number;
  readonly type: string;
  /** Undefined where it is empty. */
  readonly body: Json | undefined;
}

/** One request and what it was answered; without the token, which is in no body and no path. */
export interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly sent?: unknown;
  readonly answer: Answer;
}

export interface Sending {
  readonly body?: unknown;
  readonly contentType?: string;
  /** Instead of the directory's own. */
  readonly token?: string;
}

/** The server as a directory sees it. Every request ends: by its answer, by its time, or by the size of what comes. */
export class ScimServer {
  constructor(
    private readonly url: URL,
    private readonly token: string,
    private readonly timeoutMs: number,
  ) {}

  async send(
    method: string,
    path: string,
    { body, contentType = 'application/scim+json', token = this.token }: Sending = {},
  ): Promise<Answer> {
    const response = await fetch(new URL(`/scim/v2${path}`, this.url), {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        accept: 'application/scim+json',
        ...(body !== undefined && { 'content-type': contentType }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      redirect: 'error',
      signal: AbortSignal.timeout(this.timeoutMs),
    });
    const type = response.headers.get('content-type') ?? '';
    return { status: response.status, type, body: asJson(await bounded(response)) };
  }
}

async function bounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > LONGEST_ANSWER) throw new Error('The answer is longer than two mebibytes.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** What is no JSON is a text, and so nothing that a step expects. */
function asJson(text: string): Json | undefined {
  if (text === '') return undefined;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}
