import { gunzipSync } from 'node:zlib';
import type { IncomingMessage } from 'node:http';
import { startFakeServer, type FakeAnswer } from './http-server.js';

/** What Splunk has indexed. */
export interface Indexed {
  readonly id: string;
  readonly seq: number;
  readonly event: Record<string, unknown>;
}

export interface FakeSplunk {
  readonly url: string;
  readonly indexed: Indexed[];
  /** Answers that come before any other, one per request. */
  readonly next: FakeAnswer[];
  /** While set, every request is answered so. */
  always: FakeAnswer | undefined;
  /** Events that are not taken, as if their data format were wrong. */
  refuses: (event: Indexed) => boolean;
  requests: number;
  close(): Promise<void>;
}

const TOKEN = '11111111-2222-3333-4444-555555555555';
export const SPLUNK_TOKEN = TOKEN;

/**
 * Splunk's HTTP Event Collector as it is documented: token, gzip, concatenated JSON objects, its codes. Events before an
 * invalid one are indexed, those after it are not. Acknowledgement is off, as for a token without it.
 */
export async function startFakeSplunk({ maxBytes = 1_000_000 } = {}): Promise<FakeSplunk> {
  const fake: FakeSplunk = {
    url: '',
    indexed: [],
    next: [],
    always: undefined,
    refuses: () => false,
    requests: 0,
    close: () => server.close(),
  };
  const server = await startFakeServer((request, body) => {
    fake.requests += 1;
    return fake.next.shift() ?? fake.always ?? collect(fake, request, body, maxBytes);
  });
  return Object.assign(fake, { url: server.url });
}

function collect(fake: FakeSplunk, request: IncomingMessage, raw: Buffer, maxBytes: number): FakeAnswer {
  const { authorization, 'content-encoding': encoding } = request.headers;
  if (request.method !== 'POST' || request.url !== '/services/collector/event')
    return said(404, 'The requested URL was not found on this server.', 404);
  if (authorization === undefined) return said(401, 'Token is required', 2);
  if (!authorization.startsWith('Splunk ')) return said(401, 'Invalid authorization', 3);
  if (authorization !== `Splunk ${TOKEN}`) return said(403, 'Invalid token', 4);
  const body = encoding === 'gzip' ? gunzipSync(raw) : raw;
  if (body.length > maxBytes) return { status: 413, body: '<html>Content-Length too large</html>' };
  if (body.length === 0) return said(400, 'No data', 5);
  for (const [at, text] of objectsOf(body.toString('utf8')).entries()) {
    const invalid = (code: number, reason: string): FakeAnswer => said(400, reason, code, at);
    if (text === undefined) return invalid(6, 'Invalid data format');
    const entry = JSON.parse(text) as { event?: unknown; fields?: { event_id: string; seq: string } };
    if (entry.event === undefined) return invalid(12, 'Event field is required');
    if (entry.event === '') return invalid(13, 'Event field cannot be blank');
    const event = {
      id: entry.fields?.event_id ?? '',
      seq: Number(entry.fields?.seq),
      event: entry.event as Record<string, unknown>,
    };
    if (fake.refuses(event)) return invalid(6, 'Invalid data format');
    fake.indexed.push(event);
  }
  return said(200, 'Success', 0);
}

function said(status: number, text: string, code: number, at?: number): FakeAnswer {
  const body = { text, code, ...(at !== undefined && { 'invalid-event-number': at }) };
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

/** The JSON objects of a text that has them one after another; undefined where what follows is none. */
function objectsOf(text: string): (string | undefined)[] {
  const found: (string | undefined)[] = [];
  let [depth, start, quoted] = [0, 0, false];
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (quoted) {
      if (character === '\\') at += 1;
      else if (character === '"') quoted = false;
    } else if (character === '"') quoted = true;
    else if (character === '{') {
      if (depth === 0) start = at;
      depth += 1;
    } else if (character === '}') {
      depth -= 1;
      if (depth === 0) found.push(text.slice(start, at + 1));
    } else if (depth === 0 && character?.trim() !== '') return [...found, undefined];
  }
  return depth === 0 ? found : [...found, undefined];
}
