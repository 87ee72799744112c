import { AsyncLocalStorage } from 'node:async_hooks';
import type { Request } from 'express';
import type { TenantId, TenantRef } from '../database/tenant-id.js';

import type { AuditAction } from '../events/index.js';
import type { Credential } from './credential.js';
import type { EndpointOptions } from './endpoint-options.js';
import type { Access, RecordedDecision } from './grants.js';
import type { NetworkRules, RateLimits, RequestBodies, SignInRules } from './tenant-rules.js';

/** A tenant as requests see it. */
export interface RequestTenant extends TenantRef {
  readonly slug: string;
  /** Where the operator has set any. */
  readonly rateLimits?: RateLimits;
  /** Where the organisation has any. */
  readonly networkRules?: NetworkRules;
  /** Where the organisation has set any. */
  readonly signInRules?: SignInRules;
  /** Absent: none. */
  readonly requestBodies?: RequestBodies;
}

/** Who acts. A user's API key acts for the user, within its scopes; the operator's support for one, as src/impersonation has it; a client (OAuth) for nobody but itself. */
export interface Actor {
  readonly type:
    | 'user'
    | 'api_key'
    | 'client'
    | 'directory'
    | 'transmitter'
    | 'support'
    | 'operator'
    | 'anonymous'
    | 'system';
  readonly id: string;
  /** The tenant that the credential was verified for; none for the operator. */
  readonly tenant?: TenantId;
  /** For an API key: the user whose key it is; for support: the person for whom it acts. */
  readonly userId?: string;
  readonly roles: readonly string[];
  /** For an API key, a client, or a directory by a client: what it may do at most, `resource:level`. Absent: not limited. */
  readonly scopes?: readonly string[];
  /** For the same: the projects in which alone it may do anything. Absent: not limited. */
  readonly projects?: readonly string[];
  /** For an API key: the most requests a minute, where it has a limit of its own. */
  readonly requestsPerMinute?: number;
  /** Present when the credential was a session: needed to end it. */
  readonly sessionId?: string;
  /** When the session's person last proved a second factor, in milliseconds since 1970; absent: never. */
  readonly mfaAt?: number;
  /** The session of somebody who has to have a second factor and has none: good for setting one up. */
  readonly enrolmentOnly?: true;
  /** For support: when its time is over, in milliseconds since 1970. */
  readonly endsAt?: number;
  /** For support: it may change agents and runs, and not only read. */
  readonly writes?: true;
  /** For a directory: the client of OAuth whose access token was shown, where it was not one of the directory's own. */
  readonly clientId?: string;
  /** For a client: the access token (`jti`) that was shown; for a directory, the id of its token, or the access token that was shown. */
  readonly tokenId?: string;
  /** Absent: nothing but the role counts. */
  readonly access?: Access;
}

export const ANONYMOUS: Actor = { type: 'anonymous', id: 'anonymous', roles: [] };

/** What a handler knows of its event beyond what the annotation says. */
export interface AuditDetails {
  /** Where what came turns out to be something else than what the route is for, such as the answer to a test. */
  action?: AuditAction;
  resource?: { type: string; id: string };
  /** Where a committed change is a refusal all the same, such as ending a session whose token was stolen. */
  outcome?: 'denied';
  /** What changed, in field names and non-personal values. */
  changes?: Record<string, unknown>;
  /** Personal data that belongs to the event: stored encrypted. */
  personal?: Record<string, unknown>;
  /**
   * The person whom it concerns, where that is not who acts: it is sealed under that person's key. `null`: nobody, so that
   * it outlives whoever acts.
   */
  subject?: string | null;
}

/** Everything about one request that its guards found out. Travels in AsyncLocalStorage; handlers get the actor as an argument. */
export interface RequestContext {
  readonly requestId: string;
  readonly method: string;
  readonly path: string;
  readonly ip: string;
  readonly userAgent: string;
  /** The caller's country as the edge in front says it, unchecked; undefined where no edge is believed. */
  edgeCountry?: string;
  endpoint?: EndpointOptions;
  /** What was shown; not verified by being here. */
  credential?: Credential;
  tenant?: RequestTenant;
  actor: Actor;
  /** The policies that allowed or refused the request. */
  policies?: readonly string[];
  /** What was decided, as its event has it. */
  decision?: RecordedDecision;
  /** For a list: which of its rows are the caller's to read, as `src/access` has found out. */
  readable?: unknown;
  readonly audit: AuditDetails;
  /** Calls the handler with everything around it; set by the last guard. */
  serve?: (handler: () => unknown) => Promise<unknown>;
  /** Its credential has ended since it began. */
  revoked?: boolean;
  /** Called when that happens. */
  onRevoked?: () => void;
  /** Set once the event is part of a transaction; the interceptor records it otherwise. */
  recorded: boolean;
  /** The request's body as it came. */
  body?: unknown;
  /** `Idempotency-Key` of a POST. */
  idempotencyKey?: string;
  /** SHA-256 of the body as it was parsed: an idempotency key names one request. */
  bodyHash?: Buffer;
  /** Status of a success, as the framework has set it. */
  status?: number;
}

const storage = new AsyncLocalStorage<RequestContext>();
const KEY = Symbol('request context');

type ContextRequest = Request & { [KEY]?: RequestContext };

export function attachContext(request: Request, context: RequestContext): void {
  (request as ContextRequest)[KEY] = context;
}

/** The context of an Express request. Throws when the request did not come through `requestContextMiddleware`. */
export function contextOf(request: Request): RequestContext {
  const context = (request as ContextRequest)[KEY];
  if (!context) throw new Error('The request has no context: requestContextMiddleware is not installed.');
  return context;
}

export function runInRequest<T>(context: RequestContext, work: () => T): T {
  return storage.run(context, work);
}

/** The request that the current call chain serves, if it serves one. */
export function currentRequest(): RequestContext | undefined {
  return storage.getStore();
}

/** Adds to the event of the request being served what only the handler knows. Nothing to do outside a request. */
export function auditDetails(details: AuditDetails): void {
  const context = storage.getStore();
  if (context) Object.assign(context.audit, details);
}
