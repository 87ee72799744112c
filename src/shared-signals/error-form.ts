import type { ErrorForm } from '../platform/http/error-form.js';
import type { AppError, ErrorKind } from '../platform/http/errors.js';
import { SetErrorDto } from './set-error.dto.js';
import { SetRefused, type SetErrorCode } from './shared-signals.errors.js';

const CODES: Readonly<Partial<Record<ErrorKind, SetErrorCode>>> = {
  unauthenticated: 'authentication_failed',
  forbidden: 'access_denied',
};

/** RFC 8935 section 2.3: 400 for a token that is not taken; what is not of the token has the status of HTTP, as everywhere. */
export const SET_ERRORS: ErrorForm = {
  mediaType: 'application/json',
  type: SetErrorDto,
  body: (error) => ({ err: codeOf(error), description: error.message, code: error.code }),
  headers: ({ kind }) => ({
    'Content-Language': 'en',
    ...(kind === 'unauthenticated' && { 'WWW-Authenticate': 'Bearer realm="waxell"' }),
  }),
};

function codeOf(error: AppError): SetErrorCode {
  return error instanceof SetRefused ? error.err : (CODES[error.kind] ?? 'invalid_request');
}
