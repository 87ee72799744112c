import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request, Response } from 'express';
import { EventRecorder, eventOfRequest } from '../audit/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { UNAUDITED } from '../platform/http/endpoint.js';
import { contextOf, type RequestContext } from '../platform/http/request-context.js';
import { StreamedAnswer } from '../platform/http/streamed-answer.js';
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
  ) {}

  canActivate(execution: ExecutionContext): boolean {
    const http = execution.switchToHttp();
    const response = http.getResponse<Response>();
    const request = contextOf(http.getRequest<Request>());
    request.serve = (handler) => {
      request.status = response.statusCode;
      const serve = (): Promise<unknown> => this.#serve(request, response, handler);
      return request.tenant ? this.database.within(request.tenant, serve) : serve();
    };
    return true;
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
    if (!request.recorded && request.endpoint?.audit !== UNAUDITED) {
      await this.events.record(request.tenant, eventOfRequest(request, 'success'));
      request.recorded = true;
    }
    if (result instanceof StreamedAnswer) {
      await result.serve(response);
      return undefined;
    }
    const version = (result as { version?: unknown } | undefined)?.version;
    if (typeof version === 'number' && !response.headersSent) response.setHeader('ETag', `"${version}"`);
    return result;
  }
}
