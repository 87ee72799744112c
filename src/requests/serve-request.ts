import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request, Response } from 'express';
import { EventRecorder, eventOfRequest } from '../audit/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { UNAUDITED } from '../platform/http/endpoint.js';
import { CredentialRevoked } from '../platform/http/errors.js';
import { contextOf, type RequestContext, type RequestTenant } from '../platform/http/request-context.js';
import { RunningRequests } from '../platform/http/running-requests.js';
import { StreamedAnswer } from '../platform/http/streamed-answer.js';
import { Residence, TenantMoving } from '../tenancy/index.js';
import { Idempotency } from './idempotency.js';

/**
 * Surrounds every handler: puts the tenant in scope, answers repeated requests from storage, and lets no response leave
 * before its event is durable.
 *
 * The last of the guards, by which `@Endpoint` calls the handler; a handler that no guard surrounds refuses to run. (An
 * interceptor would say it more plainly, and cost every request a chain of observables: a tenth of a read, measured.)
 */
@Injectable()
export class ServeRequest implements CanActivate {
  constructor(
    private readonly database: TenantDatabase,
    private readonly events: EventRecorder,
    private readonly idempotency: Idempotency,
    private readonly residence: Residence,
    private readonly running: RunningRequests,
  ) {}

  canActivate(execution: ExecutionContext): boolean {
    const http = execution.switchToHttp();
    const response = http.getResponse<Response>();
    const request = contextOf(http.getRequest<Request>());
    request.serve = (handler) => {
      request.status = response.statusCode;
      const serve = (): Promise<unknown> => this.#whileRunning(request, response, handler);
      const { tenant } = request;
      if (!tenant) return serve();
      const served = this.database.within(tenant, serve);
      return request.method === 'GET' ? served.catch(this.#servedElsewhere(request, tenant, serve)) : served;
    };
    return true;
  }

  /** A read that met the one moment of a move in which the old cell answers no more is served by the new one. */
  #servedElsewhere(request: RequestContext, tenant: RequestTenant, serve: () => Promise<unknown>) {
    return async (thrown: unknown): Promise<unknown> => {
      const cause = request.recorded ? thrown : await this.residence.explained(tenant, thrown);
      if (!(cause instanceof TenantMoving)) throw cause;
      // The handler's arguments hold this very object.
      Object.assign(tenant, await this.residence.settled(tenant));
      return this.database.within(tenant, serve);
    };
  }

  async #whileRunning(request: RequestContext, response: Response, handler: () => unknown): Promise<unknown> {
    if (request.actor.type === 'anonymous') return this.#serve(request, response, handler);
    this.running.begin(request);
    try {
      return await this.#serve(request, response, handler);
    } finally {
      this.running.end(request);
    }
  }

  async #serve(request: RequestContext, response: Response, handler: () => unknown): Promise<unknown> {
    const stored =
      request.tenant && request.idempotencyKey ? await this.idempotency.replay(request) : undefined;
    if (stored) {
      response.status(stored.status).setHeader('Idempotency-Replayed', 'true');
      // Nothing was done this time, and the log must not count it twice.
      request.audit.changes = { replayed: true };
    }
    const result = stored ? stored.body : await handler();
    // What was changed is told; what was only read is kept from whoever may not see it any more.
    if (request.revoked && !request.recorded) throw new CredentialRevoked();
    if (!request.recorded && request.endpoint?.audit !== UNAUDITED) {
      const rows = stored ? undefined : rowsOf(result);
      if (rows !== undefined) request.audit.changes = { ...request.audit.changes, rows };
      await this.events.record(request.tenant, eventOfRequest(request, 'success'));
      request.recorded = true;
    }
    if (result instanceof StreamedAnswer) {
      await result.serve(response, request);
      return undefined;
    }
    const version = (result as { version?: unknown } | undefined)?.version;
    if (typeof version === 'number' && !response.headersSent) response.setHeader('ETag', `"${version}"`);
    return result;
  }
}

/** Of a list, how many it answers: who reads page after page is seen in the log by that. */
function rowsOf(result: unknown): number | undefined {
  if (result instanceof StreamedAnswer) return result.rows;
  const items = (result as { items?: unknown } | null | undefined)?.items;
  return Array.isArray(items) ? items.length : undefined;
}
