import { Injectable } from '@nestjs/common';
import { EventRecorder, eventOfRequest } from '../audit/index.js';
import type { AuditAction } from '../platform/events/index.js';
import { currentTenant } from '../platform/database/index.js';
import { BODY_LIMIT_BYTES } from '../platform/http/body.js';
import { AppError, BodyTooLarge, CredentialRevoked, ERROR_STATUS } from '../platform/http/errors.js';
import { asAppError } from '../platform/http/problem.js';
import {
  auditDetails,
  currentRequest,
  runInRequest,
  type RequestContext,
} from '../platform/http/request-context.js';
import { scimErrorOf } from '../platform/http/scim-error.js';
import { Log } from '../platform/observability/log.js';
import {
  MOST_OPERATIONS,
  readBulk,
  readOperation,
  referencesOf,
  resolved,
  type BulkOperation,
} from './bulk-request.js';
import { isFields, type Fields, type Json } from './protocol/evaluate-filter.js';
import { ScimError } from './protocol/scim.errors.js';
import { Scim } from './scim.js';
import { ScimAnswer } from './scim-answer.js';
import type { ScimCall } from './scim-call.js';

const RESPONSE_SCHEMA = 'urn:ietf:params:scim:api:messages:2.0:BulkResponse';
const DONE: Readonly<Record<BulkOperation['method'], string>> = {
  POST: 'created',
  PUT: 'updated',
  PATCH: 'updated',
  DELETE: 'deleted',
};

/** An operation under way: as it was read, or why it could not be. */
interface Entry {
  readonly at: number;
  readonly operation?: BulkOperation;
  readonly wrong?: AppError;
}

/**
 * Several changes in one request (RFC 7644 section 3.7). Each commits by itself, with its own event, or is refused by
 * itself; one that refers to another comes after it. Those that refer to one another in a circle are refused, as nothing of
 * ours can be in itself.
 */
@Injectable()
export class Bulk {
  constructor(
    private readonly scim: Scim,
    private readonly events: EventRecorder,
    private readonly log: Log,
  ) {}

  async execute(call: ScimCall, body: Json | undefined): Promise<ScimAnswer> {
    const { operations, failOnErrors = Infinity } = readBulk(body);
    // RFC 7644 section 3.7.4 answers both with 413.
    if (operations.length > MOST_OPERATIONS) throw new BodyTooLarge(BODY_LIMIT_BYTES);
    const request = currentRequest();
    if (!request) throw new Error('A bulk request is served as a request.');
    const ids = new Map<string, string>();
    const answers = new Map<number, Fields>();
    let failures = 0;
    for (const entry of ordered(operations.map(entryOf))) {
      if (failures >= failOnErrors) break;
      // Whoever may not act any more does nothing of the rest.
      if (request.revoked) throw new CredentialRevoked();
      const answer = await this.#one(request, call, entry, ids);
      if (Number(answer['status']) >= 400) failures += 1;
      answers.set(entry.at, answer);
    }
    auditDetails({ changes: { operations: answers.size, failures } });
    const inOrder = [...answers].toSorted(([a], [b]) => a - b).map(([, answer]) => answer);
    return new ScimAnswer(200, { schemas: [RESPONSE_SCHEMA], Operations: inOrder });
  }

  async #one(
    request: RequestContext,
    call: ScimCall,
    { operation, wrong }: Entry,
    ids: Map<string, string>,
  ): Promise<Fields> {
    if (!operation)
      return answerOf({}, undefined, wrong ?? new ScimError('invalidSyntax', 'It cannot be read.'));
    const own = contextOf(request, operation);
    try {
      if (wrong) throw wrong;
      const answer = await runInRequest(own, () => this.#do(call, resolved(operation, ids)));
      const id = answer.body?.['id'];
      if (operation.bulkId !== undefined && typeof id === 'string') ids.set(operation.bulkId, id);
      if (!own.recorded) await this.events.record(own.tenant, eventOfRequest(own, 'success'));
      return answerOf(operation, answer, undefined);
    } catch (thrown) {
      const error = asAppError(thrown, BODY_LIMIT_BYTES);
      if (error.kind === 'internal' || error.kind === 'unavailable')
        this.log.error('an operation of a bulk request failed', error.cause ?? error, {
          requestId: own.requestId,
        });
      await this.events.record(
        currentTenant(),
        eventOfRequest(own, 'failure', error.auditCode ?? error.code),
      );
      return answerOf(operation, undefined, error);
    }
  }

  #do({ directoryId, clientId, dryRun }: ScimCall, operation: BulkOperation): Promise<ScimAnswer> {
    const { method, kind, id = '', version, data } = operation;
    const call: ScimCall = {
      directoryId,
      clientId,
      dryRun,
      query: {},
      ...(version !== undefined && { ifMatch: version }),
    };
    return this.scim.change(method, kind, call, id, data);
  }
}

function entryOf(given: Json, at: number): Entry {
  try {
    return { at, operation: readOperation(given) };
  } catch (error) {
    if (error instanceof ScimError) return { at, wrong: error };
    throw error;
  }
}

/** Those that are referred to first, otherwise as they came; what cannot be brought into an order is marked as wrong. */
function ordered(entries: readonly Entry[]): Entry[] {
  const byBulkId = new Map(
    entries.flatMap((entry) =>
      entry.operation?.method === 'POST' ? [[entry.operation.bulkId ?? '', entry] as const] : [],
    ),
  );
  const done = new Map<Entry, Entry>();
  const visiting = new Set<Entry>();
  const visit = (entry: Entry): boolean => {
    if (done.has(entry)) return done.get(entry)?.wrong === undefined;
    if (visiting.has(entry)) return false;
    visiting.add(entry);
    const needs = entry.operation ? referencesOf(entry.operation) : [];
    const unknown = needs.find((name) => !byBulkId.has(name));
    const whole = needs.every((name) => {
      const needed = byBulkId.get(name);
      return needed !== undefined && visit(needed);
    });
    visiting.delete(entry);
    done.set(entry, whole ? entry : { ...entry, wrong: entry.wrong ?? unresolved(unknown) });
    return whole;
  };
  for (const entry of entries) visit(entry);
  return [...done.values()];
}

function unresolved(unknown: string | undefined): ScimError {
  return unknown === undefined
    ? new ScimError(
        'uniqueness',
        'It refers to operations that refer to it in turn, or to one that cannot be done.',
      )
    : new ScimError('invalidValue', `No operation that adds something has the bulkId "${unknown}".`);
}

/** An operation is a request of its own, in all that its event says and whether its credential is alive. */
function contextOf(request: RequestContext, { method, kind, id, data }: BulkOperation): RequestContext {
  const audit = `scim_${kind === 'Users' ? 'user' : 'group'}.${DONE[method]}` as AuditAction;
  const { endpoint } = request;
  return Object.assign(Object.create(request) as RequestContext, {
    method,
    path: `/scim/v2/${kind}${id === undefined ? '' : `/${id}`}`,
    body: data,
    audit: {},
    recorded: false,
    endpoint: endpoint && { ...endpoint, audit },
  });
}

function answerOf(
  { method, bulkId }: Partial<BulkOperation>,
  answer: ScimAnswer | undefined,
  error: AppError | undefined,
): Fields {
  const meta = answer?.body?.['meta'];
  const { location, version } = isFields(meta) ? meta : {};
  return {
    ...(method !== undefined && { method }),
    ...(bulkId !== undefined && { bulkId }),
    ...(location !== undefined && { location }),
    ...(version !== undefined && { version }),
    status: String(error ? ERROR_STATUS[error.kind] : (answer?.status ?? 200)),
    ...(error && { response: { ...scimErrorOf(error) } }),
    // What a dry run would have come to.
    ...(answer?.body?.['response'] !== undefined && { response: answer.body }),
  };
}
