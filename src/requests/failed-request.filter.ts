import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Request, Response } from 'express';
import { EventRecorder, eventOfRequest } from '../audit/index.js';
import { BODY_LIMIT_BYTES } from '../platform/http/body.js';
import { UNAUDITED } from '../platform/http/endpoint.js';
import { ServiceUnavailable, type AppError } from '../platform/http/errors.js';
import { asAppError, sendError } from '../platform/http/problem.js';
import { errorFormOf } from '../platform/http/scim-error.js';
import { contextOf, type RequestContext } from '../platform/http/request-context.js';
import { Log } from '../platform/observability/log.js';
import { Residence, TenantMoving } from '../tenancy/index.js';

/** Turns whatever was thrown into a problem, once the event of the refusal or failure is durable. */
@Catch()
export class FailedRequest implements ExceptionFilter {
  constructor(
    private readonly events: EventRecorder,
    private readonly log: Log,
    private readonly residence: Residence,
  ) {}

  async catch(thrown: unknown, host: ArgumentsHost): Promise<void> {
    const http = host.switchToHttp();
    const request = contextOf(http.getRequest<Request>());
    const cause = await this.residence.explained(request.tenant, thrown);
    const error = await this.#record(request, asAppError(cause, BODY_LIMIT_BYTES));
    const expected = error instanceof TenantMoving;
    if (!expected && (error.kind === 'internal' || error.kind === 'unavailable')) {
      this.log.error('request failed', error.cause ?? error, {
        requestId: request.requestId,
        code: error.code,
      });
    }
    sendError(http.getResponse<Response>(), error, request.requestId, errorFormOf(request));
  }

  async #record(request: RequestContext, error: AppError): Promise<AppError> {
    if (request.recorded || request.endpoint?.audit === UNAUDITED) return error;
    const denied = error.denies || error.kind === 'unauthenticated' || error.kind === 'forbidden';
    // Under the id that the caller is told.
    if (error.access && request.decision)
      request.decision = { ...request.decision, id: error.access.decisionId };
    const outcome = denied ? 'denied' : 'failure';
    try {
      await this.events.record(
        request.tenant,
        eventOfRequest(request, outcome, error.auditCode ?? error.code),
      );
      return error;
    } catch (cause) {
      return new ServiceUnavailable(undefined, { cause });
    }
  }
}
