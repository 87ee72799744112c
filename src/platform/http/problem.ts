import { HttpException } from '@nestjs/common';
import type { Response } from 'express';
import type { ErrorForm } from './error-form.js';
import {
  AppError,
  BodyTooLarge,
  ERROR_STATUS,
  InternalError,
  InvalidRequest,
  MalformedBody,
  RouteNotFound,
  ServiceUnavailable,
  UnsupportedMediaType,
  type DeniedAccess,
  type FieldError,
  type QuotaLimit,
  type RegionPlace,
} from './errors.js';

/** RFC 9457, with a stable `code`, the request's id and, for invalid requests, each wrong field. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly requestId: string;
  readonly errors?: readonly FieldError[];
  readonly quota?: QuotaLimit;
  readonly region?: RegionPlace;
  readonly access?: DeniedAccess;
}

const TITLES: Record<AppError['kind'], string> = {
  invalid: 'Invalid request',
  unauthenticated: 'Not authenticated',
  forbidden: 'Forbidden',
  not_found: 'Not found',
  conflict: 'Conflict',
  gone: 'Gone',
  precondition_failed: 'Precondition failed',
  too_large: 'Too large',
  unprocessable: 'Not possible in this state',
  precondition_required: 'Precondition required',
  misdirected: 'Wrong region',
  rate_limited: 'Too many requests',
  internal: 'Internal error',
  unavailable: 'Unavailable',
};

/** Statement and connection errors of PostgreSQL that pass by themselves: shutdown, lost connection, time-outs. */
const DATABASE_UNAVAILABLE = /^(08|57P|53)|^(57014|55P03|40001|40P01)$/;

/** Whatever was thrown, as one of ours. What is not known is `internal`, and its text stays in the log. */
export function asAppError(thrown: unknown, bodyLimitBytes: number): AppError {
  if (thrown instanceof AppError) return thrown;
  if (thrown instanceof HttpException) return fromFramework(thrown.getStatus(), thrown, bodyLimitBytes);
  const { status, type } = thrown as { status?: unknown; type?: unknown };
  if (typeof status === 'number' && typeof type === 'string')
    return fromFramework(status, thrown, bodyLimitBytes);
  if (isDatabaseUnavailable(thrown)) return new ServiceUnavailable(undefined, { cause: thrown });
  if (isUnstorableText(thrown)) return new InvalidRequest([], 'Text cannot hold the character U+0000.');
  return new InternalError({ cause: thrown });
}

function fromFramework(status: number, cause: unknown, bodyLimitBytes: number): AppError {
  if (status === 413) return new BodyTooLarge(bodyLimitBytes);
  if (status === 415) return new UnsupportedMediaType();
  if (status === 404) return new RouteNotFound();
  if (status >= 400 && status < 500) return new MalformedBody({ cause });
  return new InternalError({ cause });
}

/** JSON may say \\u0000; PostgreSQL's text (SQLSTATE 22021) and jsonb (22P05) cannot hold it. */
function isUnstorableText(thrown: unknown): boolean {
  const error = thrown as { code?: unknown; driverError?: unknown };
  if (error.driverError !== undefined) return isUnstorableText(error.driverError);
  return error.code === '22021' || error.code === '22P05';
}

function isDatabaseUnavailable(thrown: unknown): boolean {
  const error = thrown as { code?: unknown; message?: unknown; driverError?: unknown };
  if (error.driverError !== undefined) return isDatabaseUnavailable(error.driverError);
  if (typeof error.code === 'string') {
    return (
      DATABASE_UNAVAILABLE.test(error.code) || /^E(CONNREFUSED|CONNRESET|PIPE|TIMEDOUT)$/.test(error.code)
    );
  }
  return (
    typeof error.message === 'string' &&
    /timeout exceeded when trying to connect|Connection terminated|Query read timeout|not queryable/.test(
      error.message,
    )
  );
}

export function problemOf(error: AppError, requestId: string): Problem {
  return {
    type: `https://docs.waxell.ai/problems/${error.code.toLowerCase().replaceAll('_', '-')}`,
    title: TITLES[error.kind],
    status: ERROR_STATUS[error.kind],
    code: error.code,
    detail: error.message,
    requestId,
    ...(error.errors && { errors: error.errors }),
    ...(error.quota && { quota: error.quota }),
    ...(error.region && { region: error.region }),
    ...(error.access && { access: error.access }),
  };
}

/** Answers an error in the form that the route has, or as a problem. */
export function sendError(
  response: Response,
  error: AppError,
  requestId: string,
  form: ErrorForm | undefined,
): void {
  if (!form || response.headersSent) return sendProblem(response, problemOf(error, requestId));
  if (error.kind === 'unavailable') response.setHeader('Retry-After', '1');
  response
    .status(ERROR_STATUS[error.kind])
    .set(form.headers?.(error) ?? {})
    .type(form.mediaType)
    .send(JSON.stringify(form.body(error)));
}

export function sendProblem(response: Response, problem: Problem): void {
  if (response.headersSent) {
    // A stream had begun: there is no status left to send. Cutting it tells the client that it is incomplete.
    response.destroy();
    return;
  }
  if (problem.status === 401)
    response.setHeader('WWW-Authenticate', 'Bearer realm="waxell", DPoP realm="waxell"');
  if (problem.status === 503) response.setHeader('Retry-After', '1');
  response.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
}
