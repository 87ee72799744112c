import type { IncomingMessage } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { startFakeServer, type FakeAnswer } from './http-server.js';

export interface FakeDatadog {
  readonly url: string;
  /** Messages of the entries, as events. */
  readonly logs: Record<string, unknown>[];
  readonly next: FakeAnswer[];
  always: FakeAnswer | undefined;
  /** Entries for which the whole payload is answered with 400: the intake names none. */
  refuses: (event: Record<string, unknown>) => boolean;
  readonly sizes: { readonly entries: number; readonly bytes: number }[];
  close(): Promise<void>;
}

export const DATADOG_KEY = 'd'.repeat(32);
const MAX_ENTRIES = 1_000;
const MAX_BYTES = 5_000_000;
const MAX_ENTRY_BYTES = 1_000_000;

/** Datadog's log intake v2 as it is documented: key in a header, an array of at most 1,000 entries and 5 MB, 202. */
export async function startFakeDatadog(): Promise<FakeDatadog> {
  const fake: FakeDatadog = {
    url: '',
    logs: [],
    next: [],
    always: undefined,
    refuses: () => false,
    sizes: [],
    close: () => server.close(),
  };
  const server = await startFakeServer(
    (request, body) => fake.next.shift() ?? fake.always ?? take(fake, request, body),
  );
  return Object.assign(fake, { url: `${server.url}/api/v2/logs` });
}

function take(fake: FakeDatadog, request: IncomingMessage, raw: Buffer): FakeAnswer {
  if (request.method !== 'POST' || request.url !== '/api/v2/logs') return problem(404, 'Not Found');
  if (request.headers['dd-api-key'] === undefined) return problem(401, 'Unauthorized');
  if (request.headers['dd-api-key'] !== DATADOG_KEY) return problem(403, 'Forbidden');
  const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw;
  if (body.length > MAX_BYTES) return problem(413, 'Payload Too Large');
  const entries = entriesOf(body);
  if (!entries) return problem(400, 'Bad Request');
  if (entries.length > MAX_ENTRIES) return problem(413, 'Payload Too Large');
  // The real one cuts an entry that is larger, which would be a loss: here it is a failure.
  if (entries.some((entry) => JSON.stringify(entry).length > MAX_ENTRY_BYTES)) return problem(413, 'Entry');
  const events = entries.map(({ message }) => JSON.parse(message) as Record<string, unknown>);
  if (events.some((event) => fake.refuses(event))) return problem(400, 'Bad Request');
  fake.sizes.push({ entries: entries.length, bytes: body.length });
  fake.logs.push(...events);
  return { status: 202, headers: { 'content-type': 'application/json' }, body: '{}' };
}

function entriesOf(body: Buffer): { message: string }[] | undefined {
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8'));
    const list = Array.isArray(parsed) ? (parsed as unknown[]) : [parsed];
    return list.every((entry) => typeof (entry as { message?: unknown })?.message === 'string')
      ? (list as { message: string }[])
      : undefined;
  } catch {
    return undefined;
  }
}

function problem(status: number, detail: string): FakeAnswer {
  const body = { errors: [{ status: String(status), title: detail }] };
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
