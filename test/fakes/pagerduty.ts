import { startFakeServer, type FakeAnswer } from './http-server.js';

/** An event as PagerDuty has taken it. */
export interface PagerDutyEvent {
  readonly routing_key: string;
  readonly event_action: 'trigger' | 'acknowledge' | 'resolve';
  readonly dedup_key: string;
  readonly payload?: {
    readonly summary: string;
    readonly source: string;
    readonly severity: string;
    readonly class?: string;
    readonly custom_details?: Record<string, unknown>;
  };
}

export interface FakePagerDuty {
  readonly url: string;
  readonly events: PagerDutyEvent[];
  /** Open incidents by their dedup_key, with how they stand. */
  readonly incidents: Map<string, 'triggered' | 'acknowledged' | 'resolved'>;
  readonly next: FakeAnswer[];
  always: FakeAnswer | undefined;
  requests: number;
  close(): Promise<void>;
}

export const ROUTING_KEY = 'R'.repeat(32);
const MAX_BYTES = 512 * 1_024;
const SEVERITIES = new Set(['critical', 'error', 'warning', 'info']);

/** PagerDuty's Events API v2 as it is documented: routing key, actions, required members, 512 KB, 202. */
export async function startFakePagerDuty(): Promise<FakePagerDuty> {
  const fake: FakePagerDuty = {
    url: '',
    events: [],
    incidents: new Map(),
    next: [],
    always: undefined,
    requests: 0,
    close: () => server.close(),
  };
  const server = await startFakeServer(({ method, url }, body) => {
    fake.requests += 1;
    const forced = fake.next.shift() ?? fake.always;
    if (forced) return forced;
    if (method !== 'POST' || url !== '/v2/enqueue') return invalid(404, ['Not found']);
    if (body.length > MAX_BYTES) return invalid(413, ['Too large']);
    return enqueue(fake, JSON.parse(body.toString('utf8')) as PagerDutyEvent);
  });
  return Object.assign(fake, { url: `${server.url}/v2/enqueue` });
}

function enqueue(fake: FakePagerDuty, event: PagerDutyEvent): FakeAnswer {
  const { event_action: action, dedup_key: key, payload } = event;
  const errors: string[] = [];
  if (event.routing_key !== ROUTING_KEY) errors.push("'routing_key' is invalid");
  if (!['trigger', 'acknowledge', 'resolve'].includes(action)) errors.push("'event_action' is invalid");
  if (action !== 'trigger' && !key) errors.push("'dedup_key' is missing");
  if (key && key.length > 255) errors.push("'dedup_key' is too long");
  if (action === 'trigger') {
    if (!payload?.summary || payload.summary.length > 1_024) errors.push("'payload.summary' is invalid");
    if (!payload?.source) errors.push("'payload.source' is missing or blank");
    if (!SEVERITIES.has(payload?.severity ?? '')) errors.push("'payload.severity' is invalid");
  }
  if (errors.length > 0) return invalid(400, errors);
  fake.events.push(event);
  const before = fake.incidents.get(key);
  if (action === 'trigger') fake.incidents.set(key, 'triggered');
  // Of an incident that there is not, or that is over, nothing is changed: accepted, and dropped.
  else if (before !== undefined && before !== 'resolved')
    fake.incidents.set(key, action === 'resolve' ? 'resolved' : 'acknowledged');
  return said(202, { status: 'success', message: 'Event processed', dedup_key: key });
}

function invalid(status: number, errors: readonly string[]): FakeAnswer {
  return said(status, { status: 'invalid event', message: 'Event object is invalid', errors });
}

function said(status: number, body: object): FakeAnswer {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
