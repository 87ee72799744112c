import { randomUUID } from 'node:crypto';
import type { NextFunction, Request, Response } from 'express';
import { SECURITY_HEADERS } from './security-headers.js';
import { ANONYMOUS, attachContext, contextOf, runInRequest } from './request-context.js';

const ACCEPTABLE_ID = /^[A-Za-z0-9._-]{8,64}$/;

/** Gives every request its id and its context, and its response the headers of all, before anything else looks at it. A well-formed id of the caller is kept. */
export function requestContextMiddleware(request: Request, response: Response, next: NextFunction): void {
  const given = request.headers['x-request-id'];
  const requestId = typeof given === 'string' && ACCEPTABLE_ID.test(given) ? given : randomUUID();
  for (const [name, value] of SECURITY_HEADERS) response.setHeader(name, value);
  response.setHeader('X-Request-Id', requestId);
  attachContext(request, {
    requestId,
    method: request.method,
    // Without the query: it may carry what does not belong into a log.
    path: request.path,
    ip: request.ip ?? 'unknown',
    userAgent: (request.headers['user-agent'] ?? '').slice(0, 512),
    actor: ANONYMOUS,
    audit: {},
    recorded: false,
  });
  next();
}

/** Puts the request in scope for all that follows. After the body is read: its events belong to the connection's chain. */
export function requestScopeMiddleware(request: Request, _response: Response, next: NextFunction): void {
  runInRequest(contextOf(request), next);
}
