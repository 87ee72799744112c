import { Injectable } from '@nestjs/common';
import { EventRecorder, eventOfRequest } from '../audit/index.js';
import type { AuditAction } from '../platform/events/index.js';
import { AuthConfig } from '../platform/config/index.js';
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
import { entryOf, needsOf, ordered, type Entry, type Tried } from './bulk-order.js';
import { MOST_OPERATIONS, readBulk, resolved, type BulkOperation } from './bulk-request.js';
import { isFields, type Fields, type Json } from './protocol/evaluate-filter.js';
import { ScimError } from './protocol/scim.errors.js';
import { Scim } from './scim.js';
import { ScimAnswer } from './scim-answer.js';
import type { ScimCall } from './scim-call.js';
import { ScimRequests } from './scim-requests.js';
import { baseUrl } from './user-rows.js';

const RESPONSE_SCHEMA = 'urn:ietf:params:scim:api:messages:2.0:BulkResponse';
const DONE: Readonly<Record<BulkOperation['method'], string>> = {
  POST: 'created',
  PUT: 'updated',
  PATCH: 'updated',
  DELETE: 'deleted',
};

/** So often at most is something added once more in a dry run, as others refer to it. */
const MOST_REPEATED = 2 * MOST_OPERATIONS;

/** What the operations before one have come to. */
interface Done {
  /** The ids of what they have added, by their bulk ids. */
  readonly ids: Map<string, string>;
  /** In a dry run: what they would have added. */
  readonly tried: Map<string, Tried>;
  repeated: number;
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
    private readonly config: AuthConfig,
    private readonly requests: ScimRequests,
  ) {}

  async execute(call: ScimCall, body: Json | undefined): Promise<ScimAnswer> {
    const { operations, failOnErrors = Infinity } = readBulk(body);
    // RFC 7644 section 3.7.4 answers both with 413.
    if (operations.length > MOST_OPERATIONS) throw new BodyTooLarge(BODY_LIMIT_BYTES);
    const request = currentRequest();
    if (!request) throw new Error('A bulk request is served as a request.');
    const done: Done = { ids: new Map(), tried: new Map(), repeated: 0 };
    const answers = new Map<number, Fields>();
    let failures = 0;
    for (const entry of ordered(operations.map(entryOf))) {
      if (failures >= failOnErrors) break;
      // Whoever may not act any more does nothing of the rest.
      if (request.revoked) throw new CredentialRevoked();
      const answer = await this.#one(request, call, entry, done);
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
    { operation: asked, wrong, said = {} }: Entry,
    done: Done,
  ): Promise<Fields> {
    if (!asked)
      return this.#answer(said, undefined, wrong ?? new ScimError('invalidSyntax', 'It cannot be read.'));
    // As it can be looked at, and run again, without what was around it.
    const operation = resolved(asked, done.ids);
    const own = contextOf(request, operation);
    try {
      if (wrong) throw wrong;
      const answer = await runInRequest(own, () => this.#do(call, operation, done));
      const id = answer.body?.['id'];
      if (operation.bulkId !== undefined && typeof id === 'string') done.ids.set(operation.bulkId, id);
      if (!own.recorded) await this.events.record(own.tenant, eventOfRequest(own, 'success'));
      return this.#answer(operation, answer, undefined);
    } catch (thrown) {
      const error = asAppError(thrown, BODY_LIMIT_BYTES);
      await runInRequest(own, () => this.requests.refusedUnlessKept(thrown, call));
      if (error.kind === 'internal' || error.kind === 'unavailable')
        this.log.error('an operation of a bulk request failed', error.cause ?? error, {
          requestId: own.requestId,
        });
      await this.events.record(
        currentTenant(),
        eventOfRequest(own, 'failure', error.auditCode ?? error.code),
      );
      return this.#answer(operation, undefined, error);
    }
  }

  #do(call: ScimCall, operation: BulkOperation, done: Done): Promise<ScimAnswer> {
    const { directoryId, clientId, dryRun } = call;
    const { version } = operation;
    const own: ScimCall = {
      directoryId,
      clientId,
      dryRun,
      query: {},
      ...(version !== undefined && { ifMatch: version }),
    };
    return dryRun ? this.#try(own, operation, done) : this.scim.apply(own, operation);
  }

  /** Nothing of what was tried is there any more: what an operation needs of it is added anew, for it alone. */
  async #try(call: ScimCall, operation: BulkOperation, done: Done): Promise<ScimAnswer> {
    const needs = needsOf(operation, done.tried);
    done.repeated += needs.length;
    if (done.repeated > MOST_REPEATED)
      throw new ScimError(
        'tooMany',
        `A dry run adds what others refer to anew for each of them, ${MOST_REPEATED} times at most. Try fewer operations at once.`,
      );
    const answer = await this.scim.tryAfter(needs, call, operation);
    const { method, bulkId } = operation;
    if (method === 'POST' && bulkId !== undefined) done.tried.set(bulkId, { operation, needs });
    return answer;
  }

  /** RFC 7644 section 3.7: where the resource is stands in every answer, but of what was not added. */
  #answer(
    { method, bulkId, kind, id }: Partial<BulkOperation>,
    answer: ScimAnswer | undefined,
    error: AppError | undefined,
  ): Fields {
    const meta = answer?.body?.['meta'];
    const { location, version } = isFields(meta) ? meta : {};
    const named =
      kind !== undefined && id !== undefined
        ? `${baseUrl(this.config)}/${kind}/${encodeURIComponent(id.toWellFormed())}`
        : undefined;
    const where = location ?? named;
    return {
      ...(method !== undefined && { method }),
      ...(bulkId !== undefined && { bulkId }),
      ...(where !== undefined && { location: where }),
      ...(version !== undefined && { version }),
      status: String(error ? ERROR_STATUS[error.kind] : (answer?.status ?? 200)),
      ...(error && { response: { ...scimErrorOf(error) } }),
      // What a dry run would have come to.
      ...(answer?.body?.['response'] !== undefined && { response: answer.body }),
    };
  }
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
