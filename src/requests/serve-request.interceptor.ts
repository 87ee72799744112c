import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import type { Request, Response } from 'express';
import { from, lastValueFrom, type Observable } from 'rxjs';
import { EventRecorder, eventOfRequest } from '../audit/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { UNAUDITED } from '../platform/http/endpoint.js';
import { EventStream } from '../platform/http/event-stream.js';
import { contextOf, runInRequest, type RequestContext } from '../platform/http/request-context.js';
import { Idempotency } from './idempotency.js';

/**
 * Surrounds every handler: puts request and tenant in scope, answers repeated requests from storage, and lets no
 * response leave before its event is durable.
 */
@Injectable()
export class ServeRequest implements NestInterceptor {
  constructor(
    private readonly database: TenantDatabase,
    private readonly events: EventRecorder,
    private readonly idempotency: Idempotency,
  ) {}

  intercept(execution: ExecutionContext, next: CallHandler): Observable<unknown> {
    const http = execution.switchToHttp();
    const response = http.getResponse<Response>();
    const request = contextOf(http.getRequest<Request>());
    request.status = response.statusCode;
    const handler = (): Promise<unknown> => lastValueFrom(next.handle(), { defaultValue: undefined });
    const serve = (): Promise<unknown> => this.#serve(request, response, handler);
    const tenant = request.tenant;
    return from(runInRequest(request, () => (tenant ? this.database.within(tenant, serve) : serve())));
  }

  async #serve(
    request: RequestContext,
    response: Response,
    handler: () => Promise<unknown>,
  ): Promise<unknown> {
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
    if (result instanceof EventStream) {
      await result.serve(response);
      return undefined;
    }
    const version = (result as { version?: unknown } | undefined)?.version;
    if (typeof version === 'number' && !response.headersSent) response.setHeader('ETag', `"${version}"`);
    return result;
  }
}
