import { isUtf8 } from 'node:buffer';
import { v7 as uuidv7 } from 'uuid';
import type { AuditAction } from '../platform/events/index.js';
import { recordableBody } from '../platform/http/body.js';
import type { RecordedDecision } from '../platform/http/grants.js';
import type { Actor, RequestContext } from '../platform/http/request-context.js';
import type { RequestBodies } from '../platform/http/tenant-rules.js';

export type Outcome = 'success' | 'denied' | 'failure';

/** What happened, before it is sealed and put into its canonical form. */
export interface AuditEvent {
  readonly action: AuditAction;
  readonly actor: Pick<Actor, 'type' | 'id' | 'userId' | 'sessionId'> & { readonly onBehalfOf?: string };
  readonly outcome: Outcome;
  readonly resource?: { readonly type: string; readonly id: string };
  readonly changes?: Record<string, unknown>;
  readonly request?: { readonly id: string; readonly method: string; readonly path: string };
  /** Why it was refused or failed: a problem's code. */
  readonly reason?: string;
  readonly policies?: readonly string[];
  readonly decision?: RecordedDecision;
  /** From where: personal data too. */
  readonly client?: Client;
  /** Personal data of the event: encrypted before it is stored or hashed. */
  readonly personal?: Record<string, unknown>;
  /** The person whom `personal` concerns, where that is not who acts: it is sealed under that person's key; `null`: nobody. */
  readonly subject?: string | null;
}

export interface Client {
  readonly ip: string;
  readonly userAgent: string;
}

/** A client as events carry it: encrypted once, and bound to its own id, for all the events that it causes in a while. */
export interface SealedClient {
  readonly id: string;
  /** Base64. */
  readonly sealed: string;
}

/** An event as the log holds it: these bytes are what is hashed, exported and verified. */
export interface CanonicalEvent {
  readonly bytes: Buffer;
  readonly search: SearchColumns;
}

/** Who acted. What is absent does not apply: nobody signed in for a key, and a person acts for nobody else. */
export interface EventActor {
  readonly type: string;
  readonly id: string;
  /** For an API key: the person on whose behalf it acts. */
  readonly userId?: string;
  readonly sessionId?: string;
  /** For the system: the id of the person or key that ordered what it does. */
  readonly onBehalfOf?: string;
}

/** What a canonical event says; `seq` and the hashes stand beside it in the log. */
export interface EventBody {
  readonly v: 1;
  readonly id: string;
  /** RFC 3339, UTC, in microseconds. */
  readonly at: string;
  readonly tenant: string;
  readonly region: string;
  readonly action: string;
  readonly actor: EventActor;
  readonly outcome: Outcome;
  readonly resource?: { readonly type: string; readonly id: string };
  readonly changes?: Record<string, unknown>;
  readonly request?: { readonly id: string; readonly method: string; readonly path: string };
  readonly reason?: string;
  readonly policies?: readonly string[];
  /** What was asked for, on what. */
  readonly decision?: RecordedDecision;
  readonly client?: SealedClient;
  /** Base64 of the encrypted personal part. */
  readonly sealed?: string;
}

/** What the encrypted parts of an event are bound to: table and column of their additional authenticated data. */
export const PERSONAL_PLACE = { table: 'audit', column: 'request_body' } as const;
export const CLIENT_PLACE = { table: 'audit', column: 'client' } as const;

export function newEventId(): string {
  return uuidv7();
}

/**
 * The canonical bytes: UTF-8 JSON with the keys in the order written here and nothing undefined. They are made once and
 * kept as they are, so that no later formatting can change what was hashed.
 */
export function canonicalEvent(
  id: string,
  tenant: { readonly id: string; readonly region: string },
  event: AuditEvent,
  sealed: Buffer | undefined,
  client?: SealedClient,
): CanonicalEvent {
  const body: EventBody = {
    v: 1,
    id,
    at: nowMicroseconds(),
    tenant: tenant.id,
    region: tenant.region,
    action: event.action,
    actor: actorOf(event.actor),
    outcome: event.outcome,
    resource: event.resource,
    changes: event.changes,
    request: event.request,
    reason: event.reason,
    policies: event.policies,
    decision: event.decision,
    client,
    sealed: sealed?.toString('base64'),
  };
  const { at, action, outcome } = body;
  const search = { id, at, action, actor: body.actor.id, outcome };
  return { bytes: Buffer.from(JSON.stringify(body)), search };
}

function actorOf({ type, id, userId, sessionId, onBehalfOf }: AuditEvent['actor']): EventActor {
  return { type, id, userId, sessionId, onBehalfOf };
}

/**
 * An event for a tenant's log that is made in another database than the log's, kept there and delivered later. Without
 * client and personal part: it is told to the tenant, and who acted for the operator is the operator's own business.
 */
export function canonicalNotice(
  tenant: { readonly id: string; readonly region: string },
  { client: _client, personal: _personal, subject: _subject, ...event }: AuditEvent,
): CanonicalEvent {
  return canonicalEvent(newEventId(), tenant, event, undefined);
}

export function parseEvent(bytes: Buffer): EventBody {
  return JSON.parse(bytes.toString('utf8')) as EventBody;
}

/** The event of a request, from what its guards and its handler found out. */
export function eventOfRequest(context: RequestContext, outcome: Outcome, reason?: string): AuditEvent {
  const ofRoute = typeof context.endpoint?.audit === 'string' ? context.endpoint.audit : 'request.rejected';
  return {
    action: context.audit.action ?? ofRoute,
    actor: context.actor,
    outcome: context.audit.outcome ?? outcome,
    resource: context.audit.resource,
    changes: context.audit.changes,
    request: { id: context.requestId, method: context.method, path: context.path },
    reason,
    policies: context.policies,
    decision: context.decision,
    client: { ip: context.ip, userAgent: context.userAgent },
    personal: personalOf(context),
    subject: context.audit.subject,
  };
}

/** The person who acts, or for whom a key does; undefined for the operator, the system, and who is not known. */
export function personActing({ type, id, userId }: AuditEvent['actor']): string | undefined {
  if (type === 'user') return id;
  return type === 'api_key' ? userId : undefined;
}

function personalOf(context: RequestContext): Record<string, unknown> | undefined {
  const { personal } = context.audit;
  const body = bodyOf(context);
  return body === undefined ? personal : { body, ...personal };
}

const OF_OPERATOR: RequestBodies = { recorded: 'redacted', withheld: [] };
const NOTHING: RequestBodies = { recorded: 'none', withheld: [] };

/** As much of the body as the organisation wants; in the installation's own log, what the operator has sent. */
function bodyOf({ body, tenant, actor, audit }: RequestContext): unknown {
  const wanted = tenant ? tenant.requestBodies : actor.type === 'operator' ? OF_OPERATOR : undefined;
  const { recorded, withheld } = wanted ?? NOTHING;
  if (recorded === 'none') return undefined;
  // Personal data of nobody in particular would be found by no erasure.
  return recordableBody(body, typeof audit.subject === 'string' ? recorded : 'redacted', withheld);
}

/** A wall clock that was set is followed, once it is further off than this. */
const CLOCK_TOLERANCE_MICROS = 5_000;
/** One that was set back by less is waited for; one that had been further ahead is followed back, as numbers say what came first. */
const LONGEST_WAIT_MICROS = 60_000_000;
let wallAnchor = Date.now() * 1_000;
let steadyAnchor = performance.now();
let latest = 0;

/** Wall-clock time in microseconds; within a process it does not run backwards, unless the system's clock had been far ahead. */
function nowMicroseconds(): string {
  const wall = Date.now() * 1_000;
  const steady = performance.now();
  let micros = wallAnchor + Math.floor((steady - steadyAnchor) * 1_000);
  if (Math.abs(micros - wall) > CLOCK_TOLERANCE_MICROS) {
    [wallAnchor, steadyAnchor, micros] = [wall, steady, wall];
  }
  latest = latest - micros > LONGEST_WAIT_MICROS ? micros : Math.max(latest + 1, micros);
  const date = new Date(Math.floor(latest / 1_000)).toISOString();
  return `${date.slice(0, -1)}${String(latest % 1_000).padStart(3, '0')}Z`;
}

/** What of an event can be searched for; the rest is read from its bytes. */
export interface SearchColumns {
  readonly id: string;
  readonly at: string;
  readonly action: string;
  readonly actor: string;
  readonly outcome: string;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** From the year 1: the database has none before it. */
const TIMESTAMP = /^(?!0000)\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$/;

/** The search columns of canonical bytes; undefined where the bytes are no event of this tenant. */
export function searchColumns(bytes: Buffer, tenant: string): SearchColumns | undefined {
  // As text such bytes would become others, whose hash is not theirs: no export of them could be verified.
  if (!isUtf8(bytes)) return undefined;
  try {
    const body = parseEvent(bytes);
    const wellFormed =
      body.tenant === tenant &&
      UUID.test(body.id) &&
      isTime(body.at) &&
      [body.action, body.actor.id, body.outcome].every(fitsColumn);
    if (!wellFormed) return undefined;
    return { id: body.id, at: body.at, action: body.action, actor: body.actor.id, outcome: body.outcome };
  } catch {
    return undefined;
  }
}

/** A time that there is: of February 30th the column beside it would say March 2nd. */
function isTime(at: string): boolean {
  const time = TIMESTAMP.test(at) ? Date.parse(at) : Number.NaN;
  return !Number.isNaN(time) && new Date(time).toISOString().slice(0, -1) === at.slice(0, -4);
}

/** Text that the database takes, and gives back as it was. */
function fitsColumn(text: unknown): boolean {
  return typeof text === 'string' && text.length <= 200 && text.isWellFormed() && !text.includes('\0');
}
